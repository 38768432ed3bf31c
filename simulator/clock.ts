/** The host's clock: the machine's, moved ahead at will, so that windows and lifetimes pass without waiting. */
export interface Clock {
  nowMs(): number;
  advance(ms: number): void;
  readonly advancedMs: number;
}

export function createClock(): Clock {
  let advancedMs = 0;
  return {
    nowMs: () => Date.now() + advancedMs,
    advance(ms) {
      advancedMs += ms;
    },
    get advancedMs() {
      return advancedMs;
    },
  };
}
