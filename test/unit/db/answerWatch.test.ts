import { stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAnswerWatch } from '../../../db/answerWatch.ts';

beforeEach(
  () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] }),
);
afterEach(() => void vi.useRealTimers());

/** A message, and how it is answered. */
function message() {
  let answer: () => void = () => {};
  const promise = new Promise<void>((resolve) => (answer = resolve));
  return { promise, answer };
}

test('each message has its time from the answer to the one before it; then the connection is silent', async () => {
  const onSilence = vi.fn<() => void>();
  const watch = createAnswerWatch(onSilence);
  const [first, second] = [message(), message()];
  void watch.sent(first.promise, 100);
  void watch.sent(second.promise, 50);
  await vi.advanceTimersByTimeAsync(90);
  first.answer();
  await vi.advanceTimersByTimeAsync(49);
  expect(onSilence).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2);
  expect(onSilence).toHaveBeenCalledTimes(1);
});

test('whoever is answered, refused or has no limit is never silent', async () => {
  const onSilence = vi.fn<() => void>();
  const watch = createAnswerWatch(onSilence);
  void watch.sent(Promise.resolve(), 100);
  void watch.sent(Promise.reject(new Error('refused')), 100);
  void watch.sent(message().promise, Infinity);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(onSilence).not.toHaveBeenCalled();
});

test('an answer that lay there while the process was frozen counts', async () => {
  vi.useRealTimers();
  const onSilence = vi.fn<() => void>();
  const watch = createAnswerWatch(onSilence);
  const read = watch.sent(stat('.'), 10);
  // The timers of a process that was frozen come before what it has to read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  await read;
  for (let turns = 0; turns < 3; turns += 1) await setImmediate();
  expect(onSilence).not.toHaveBeenCalled();
});
