import type { Clock } from '../clock.ts';

export type LimitGroup = 'anonymous' | 'repository' | 'webhook' | 'git' | 'none';

export interface LimitState {
  allowed: boolean;
  limit: number;
  remaining: number;
  /** Until the oldest counted request leaves the window. */
  resetSeconds: number;
}

export interface RateLimits {
  /** Counts a request of an account on arrival; a refused one is not counted. Null: the group has no limit. */
  take(account: string, group: LimitGroup): LimitState | null;
  clear(): void;
}

/** Rolling windows (facts 4.3). */
export function createRateLimits(options: {
  clock: Clock;
  windowMs: number;
  limits: Partial<Record<LimitGroup, number>>;
}): RateLimits {
  const windows = new Map<string, { times: number[]; first: number }>();

  return {
    take(account, group) {
      const limit = options.limits[group] ?? 0;
      if (limit === 0) return null;
      const now = options.clock.nowMs();
      const key = `${group}/${account}`;
      const window = windows.get(key) ?? { times: [], first: 0 };
      windows.set(key, window);
      const oldest = now - options.windowMs;
      while (window.first < window.times.length && (window.times[window.first] ?? 0) <= oldest)
        window.first += 1;
      if (window.first > 1000) {
        window.times.splice(0, window.first);
        window.first = 0;
      }
      const used = window.times.length - window.first;
      const allowed = used < limit;
      if (allowed) window.times.push(now);
      const firstAt = window.times[window.first] ?? now;
      return {
        allowed,
        limit,
        remaining: Math.max(0, limit - used - 1),
        resetSeconds: Math.max(1, Math.ceil((firstAt + options.windowMs - now) / 1000)),
      };
    },
    clear: () => windows.clear(),
  };
}
