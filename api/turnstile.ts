/** Does work when its turn has come: so much at a time, in the order in which it was asked for. */
export type Turnstile = <T>(work: () => Promise<T>) => Promise<T>;

export function createTurnstile(atOnce: number): Turnstile {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return async (work) => {
    if (inside >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else inside += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // whoever waits takes over the place
      if (next === undefined) inside -= 1;
      else next();
    }
  };
}
