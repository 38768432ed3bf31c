/** The host's clock: the machine's, moved ahead at will, so that windows and lifetimes pass without waiting. */
export interface Clock {
  nowMs(): number;
  /** Microseconds since the epoch, later than every one given before: no two changes happen at the same moment. */
  nextMicros(): number;
  advance(ms: number): void;
  readonly advancedMs: number;
}

export function createClock(): Clock {
  let advancedMs = 0;
  let lastMicros = 0;
  const nowMs = (): number => Date.now() + advancedMs;
  return {
    nowMs,
    nextMicros() {
      // Not a whole millisecond, as almost no moment of the real host is.
      lastMicros = Math.max(lastMicros + 1, nowMs() * 1000 + 421);
      return lastMicros;
    },
    advance(ms) {
      advancedMs += ms;
    },
    get advancedMs() {
      return advancedMs;
    },
  };
}
