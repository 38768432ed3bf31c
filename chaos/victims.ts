import { setTimeout as sleep } from 'node:timers/promises';
import type { Stand } from '../bench/support/stand.ts';

/** A random number in [0, 1), the same for the same seed (mulberry32: public domain arithmetic). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `kill`: at once, as a crash; `freeze`: stopped for some seconds, then let go, when it thinks that no time has passed. */
type Deed = 'kill' | 'freeze';

/** The database and Temporal are harmed less often: while they are away nothing else happens. */
const VICTIMS: readonly { name: string; weight: number }[] = [
  { name: 'worker', weight: 4 },
  { name: 'worker-2', weight: 4 },
  { name: 'api', weight: 3 },
  { name: 'temporal', weight: 1 },
  { name: 'postgres', weight: 1 },
];

const LONGEST_FREEZE_MS = 15_000;
const LONGEST_PAUSE_MS = 12_000;

/** Harms one process after the other until `untilMs` (performance.now), and says so. Leaves none frozen. Gives how often. */
export async function harm(options: {
  stand: Stand;
  random: () => number;
  untilMs: number;
  say: (line: string) => void;
}): Promise<Record<string, number>> {
  const { stand, random, untilMs, say } = options;
  const done: Record<string, number> = {};
  while (performance.now() < untilMs) {
    await sleep(1_000 + random() * LONGEST_PAUSE_MS);
    const name = choose(random());
    const deed: Deed = random() < 0.6 ? 'kill' : 'freeze';
    const freezeMs = 1_000 + random() * LONGEST_FREEZE_MS;
    if (!(await carryOut(stand, name, deed, freezeMs))) continue;
    say(deed === 'kill' ? `${name} was killed` : `${name} was frozen for ${Math.round(freezeMs / 1_000)} s`);
    const what = `${deed} ${name}`;
    done[what] = (done[what] ?? 0) + 1;
  }
  return done;
}

function choose(share: number): string {
  const all = VICTIMS.reduce((sum, { weight }) => sum + weight, 0);
  let left = share * all;
  for (const { name, weight } of VICTIMS) {
    left -= weight;
    if (left < 0) return name;
  }
  return 'worker';
}

/** False: it is just being started again. */
async function carryOut(stand: Stand, name: string, deed: Deed, freezeMs: number): Promise<boolean> {
  const pid = stand.pidOf(name);
  if (!send(pid, deed === 'kill' ? 'SIGKILL' : 'SIGSTOP')) return false;
  if (deed === 'freeze') {
    await sleep(freezeMs);
    send(pid, 'SIGCONT');
  }
  return true;
}

/** False: there is no such process any more. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
