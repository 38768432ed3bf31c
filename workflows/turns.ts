/** Work that is done one after the other, in the order of asking. */
export interface Turns {
  /** something is under way or waits for its turn */
  readonly isBusy: boolean;
  take<T>(work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let queued = 0;
  return {
    get isBusy() {
      return queued > 0;
    },
    take(work) {
      queued += 1;
      const mine = last.then(work).finally(() => {
        queued -= 1;
      });
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}
