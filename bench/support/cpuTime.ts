import { readdir, readFile } from 'node:fs/promises';

/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

interface Stat {
  parent: number;
  /** of the process with all its threads */
  own: number;
  /** of its children that have ended */
  ended: number;
}

async function statOf(pid: number): Promise<Stat | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // After the name in parentheses: the parent is field 4; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (field: number): number => (fields[field - 3] ?? 0) / TICKS_PER_SECOND;
  return { parent: fields[1] ?? 0, own: at(14) + at(15), ended: at(16) + at(17) };
}

/** Processor seconds of a process and all its descendants so far; NaN where there is no Linux `/proc`. */
export async function cpuSeconds(pid: number): Promise<number> {
  if ((await statOf(pid)) === undefined) return Number.NaN;
  const stats = new Map<number, Stat>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await statOf(Number(name));
    if (stat !== undefined) stats.set(Number(name), stat);
  }
  const of = (root: number): number => {
    const stat = stats.get(root);
    if (stat === undefined) return 0;
    let sum = stat.own + stat.ended;
    for (const [child, { parent }] of stats) if (parent === root) sum += of(child);
    return sum;
  };
  return of(pid);
}
