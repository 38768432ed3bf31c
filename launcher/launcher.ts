import type { Command } from './command.ts';
import { type ForkServer, startForkServer } from './forkServer.ts';
import type { LaunchedProcess } from './launchedProcess.ts';

export interface Launcher {
  /** Throws LaunchFailed when it cannot be started: no such program, no more processes. */
  launch(command: Command): Promise<LaunchedProcess>;
}

/**
 * Starts processes through a small one of its own. Node starts a process by `fork`, which copies the page tables of the
 * whole: from a process of 300 MB that holds up everything else for 10 to 30 ms each time (nodejs/node#14917; libuv#1715 says
 * why it stays so). The fork server has 40 to 60 MB. The streams of what it starts are sockets to here, so no byte goes
 * through it. It is started with the first command, again when it was lost, and ends with this process.
 */
function createLauncher(): Launcher {
  let current: Promise<ForkServer> | undefined;

  function forkServer(): Promise<ForkServer> {
    if (current !== undefined) return current;
    const forget = (): void => {
      if (current === starting) current = undefined;
    };
    const starting = startForkServer(forget);
    // A failed start is tried again by the next command.
    starting.catch(forget);
    current = starting;
    return starting;
  }

  return { launch: async (command) => (await forkServer()).launch(command) };
}

/** That of this process. What it starts belongs to the process, whoever asks, so one fork server serves all. */
export const launcher: Launcher = createLauncher();
