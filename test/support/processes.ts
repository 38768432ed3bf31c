import type { ChildServer } from '../../scripts/servers/childProcess.ts';

/** Stops a process where it stands, as a machine that swaps or a paused container does. */
export const freeze = ({ pid }: ChildServer): void => void process.kill(pid, 'SIGSTOP');

/** Lets a frozen process go on, with everything it had in memory. */
export const thaw = ({ pid }: ChildServer): void => void process.kill(pid, 'SIGCONT');
