import type { Socket } from 'node:net';
import type { Ending } from './command.ts';

export interface LaunchedProcess {
  pid: number;
  /** ended by whoever launches; closed in any case when the process has ended */
  stdin: Socket;
  stdout: Socket;
  stderr: Socket;
  /**
   * Settles when it has ended and nobody of its group writes any more, which only shows to who reads. Rejects when that
   * cannot be known: the fork server ended before.
   */
  ended: Promise<Ending>;
  /** to its whole group; nothing happens once `ended` has settled */
  kill: (signal: NodeJS.Signals) => void;
}

/** `ending`: of the process itself; its streams may be open for longer, in the hands of others of its group. */
export function launchedProcess(
  pid: number,
  [stdin, stdout, stderr]: readonly [Socket, Socket, Socket],
  ending: Promise<Ending>,
): LaunchedProcess {
  let isOver = false;
  const kill = (signal: NodeJS.Signals): void => {
    if (!isOver) killGroup(pid, signal);
  };
  const closed = Promise.all([stdout, stderr].map((stream) => closing(stream)));
  // Nothing comes from there but its end.
  stdin.resume();
  async function end(): Promise<Ending> {
    try {
      const how = await ending;
      stdin.destroy();
      await closed;
      return how;
    } catch (error) {
      // Whoever tries again must not meet it at work.
      kill('SIGKILL');
      throw error;
    } finally {
      isOver = true;
      stdin.destroy();
    }
  }
  const ended = end();
  ended.catch(() => {});
  return { pid, stdin, stdout, stderr, ended, kill };
}

export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: the group has ended
  }
}

/** Behind its last byte nothing is left to be said, so this side closes too. */
function closing(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', () => resolve());
    if (stream.closed) resolve();
    // One that nothing was written to may have ended already.
    if (stream.readableEnded) stream.end();
    else stream.once('end', () => stream.end());
  });
}
