/** Tells when a connection has fallen silent. */
export interface AnswerWatch {
  /** Takes a message that is to be answered within so long, counted from the answer to the one before it; gives it back. */
  sent<Message extends PromiseLike<unknown>>(message: Message, withinMs: number): Message;
}

/**
 * Postgres answers messages in their order. `onSilence` is called when the next answer is overdue; `Infinity` never is.
 */
export function createAnswerWatch(onSilence: () => void): AnswerWatch {
  /** how long each that has no answer may take, in the order in which they were sent */
  const awaited: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  let overdue: NodeJS.Immediate | undefined;

  function awaitNext(): void {
    clearTimeout(timer);
    clearImmediate(overdue);
    const [withinMs] = awaited;
    if (withinMs === undefined || withinMs === Infinity) return;
    timer = setTimeout(() => {
      // A process that froze, or was busy, first reads what has come meanwhile.
      overdue = setImmediate(onSilence);
    }, withinMs);
  }

  function answered(): void {
    awaited.shift();
    awaitNext();
  }

  return {
    sent(message, withinMs) {
      if (awaited.push(withinMs) === 1) awaitNext();
      message.then(answered, answered);
      return message;
    },
  };
}
