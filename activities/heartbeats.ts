import { cancellationSignal, heartbeat } from '@temporalio/activity';

/** Well inside the heartbeat timeout of ten seconds (temporal.md, A7). */
const INTERVAL_MS = 2_000;

/** Runs an activity's work with a heartbeat every two seconds; they also bring cancellation to `signal`. */
export async function withHeartbeats<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const beat = (): void => heartbeat();
  beat();
  const timer = setInterval(beat, INTERVAL_MS);
  try {
    return await work(cancellationSignal());
  } finally {
    clearInterval(timer);
  }
}
