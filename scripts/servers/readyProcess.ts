import { type ChildOptions, type ChildServer, startChild } from './childProcess.ts';
import { untilReady } from './untilReady.ts';

const READY_TIMEOUT_MS = 120_000;
const PROBE_TIMEOUT_MS = 5_000;

/**
 * Starts a process that tells by HTTP when it is ready (`readyUrl` answers 2xx), and waits for that.
 * Throws ServerNotReady with its last lines when it ends, takes too long, or `signal` comes first.
 */
export async function startReady(
  name: string,
  readyUrl: string,
  options: ChildOptions,
  signal?: AbortSignal,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<ChildServer> {
  const child = await startChild(options);
  const probe = async (): Promise<void> => {
    const answer = await fetch(readyUrl, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`${readyUrl} answers ${answer.status}`);
  };
  try {
    await untilReady(name, child, probe, timeoutMs, signal);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return child;
}
