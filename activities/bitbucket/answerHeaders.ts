import type { ScopeHeaders } from './client.ts';

const list = (value: string | null): string[] | undefined =>
  value === null
    ? undefined
    : value
        .split(/[\s,]+/)
        .map((scope) => scope.trim())
        .filter((scope) => scope !== '');

/** The scope headers that every answer to a credential carries (facts 1.5). */
export function scopeHeaders(headers: Headers): ScopeHeaders {
  const granted = list(headers.get('x-oauth-scopes'));
  const accepted = list(headers.get('x-accepted-oauth-scopes'));
  const credentialType = headers.get('x-credential-type') ?? undefined;
  return {
    ...(granted === undefined ? {} : { granted }),
    ...(accepted === undefined ? {} : { accepted }),
    ...(credentialType === undefined ? {} : { credentialType }),
  };
}

/** The `Date` header as ISO time. */
export function answerDate(headers: Headers): string | undefined {
  const text = headers.get('date');
  if (text === null) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3_600;

/**
 * How many seconds a 429 asks to wait, or undefined when it does not say.
 * `Retry-After` (RFC 9110, 10.2.3) is seconds or a date; the date is read against the answer's own `Date`, so that
 * clocks that differ do no harm. Else `X-RateLimit-Reset`, which at Bitbucket is seconds left (facts 4.3).
 * At least 1; at most a day for Retry-After and an hour for Reset (the window is an hour), so that a mad value
 * costs one more question, not a stand-still.
 */
export function retryAfterSeconds(headers: Headers, nowMs: number = Date.now()): number | undefined {
  const after = headers.get('retry-after')?.trim();
  if (after !== undefined && after !== '') {
    if (/^\d+(\.\d+)?$/.test(after)) return bounded(Number(after), DAY_SECONDS);
    // Date.parse takes nearly anything (`-5`); HTTP dates begin with the day's name.
    const date = /^[a-z]{3}/i.test(after) ? Date.parse(after) : Number.NaN;
    const sentMs = Date.parse(headers.get('date') ?? '');
    if (!Number.isNaN(date)) {
      return bounded((date - (Number.isNaN(sentMs) ? nowMs : sentMs)) / 1000, DAY_SECONDS);
    }
  }
  const reset = /^\d+/.exec(headers.get('x-ratelimit-reset')?.trim() ?? '');
  return reset === null || Number(reset[0]) === 0 ? undefined : bounded(Number(reset[0]), HOUR_SECONDS);
}

const bounded = (seconds: number, most: number): number => Math.min(most, Math.max(1, Math.ceil(seconds)));
