import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Who holds a clone: machine, process id and the process's start time, as part of a folder's name (no dot in
 * it). A process id alone would be believed alive when another program got the same number.
 */
export interface Owner {
  /** this process */
  readonly me: string;
  /** `elsewhere`: on another machine (or in another container) that shares the folder */
  state(owner: string): 'mine' | 'alive' | 'dead' | 'elsewhere';
}

export function createOwner(): Owner {
  const machine = machineKey();
  const me = [machine, process.pid, startedAt(process.pid) ?? 0].join('-');
  return {
    me,
    state(owner) {
      if (owner === me) return 'mine';
      const [itsMachine, pid, started] = owner.split('-');
      if (itsMachine !== machine) return 'elsewhere';
      return isAlive(Number(pid), started) ? 'alive' : 'dead';
    },
  };
}

/** Two containers may share a host name but not a process namespace; Linux gives the namespace a number. */
function machineKey(): string {
  const parts = [
    hostname(),
    readText('/proc/sys/kernel/random/boot_id'),
    readText('/proc/1/stat')?.split(' ')[21],
  ];
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}

function isAlive(pid: number, started: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: somebody else's, but there
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const now = startedAt(pid);
  return now === undefined || started === '0' || now === started;
}

/** Start time in clock ticks since boot (proc(5), field 22); undefined where there is no /proc. */
function startedAt(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // the command's name, in parentheses, may hold spaces
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
