import { createHash } from 'node:crypto';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { WorldSpec } from '../model/worldSpec.ts';
import { MutationError } from './mutation.ts';

type Mutate = (change: unknown) => Promise<object>;

/** The clock of changes: it stands still while one is made, so that the same change at the same moment is the same. */
export interface ChangeClock extends Clock {
  stopAt(ms: number): void;
}

export function createChangeClock(clock: Clock): ChangeClock {
  let stoppedMs = clock.nowMs();
  let lastMicros = 0;
  return {
    nowMs: () => stoppedMs,
    nextMicros() {
      lastMicros = Math.max(lastMicros + 1, stoppedMs * 1000 + 421);
      return lastMicros;
    },
    advance: (ms) => clock.advance(ms),
    get advancedMs() {
      return clock.advancedMs;
    },
    stopAt(ms) {
      stoppedMs = ms;
    },
  };
}

/** What belongs to a run of the host and not to its data: who signs in with what, and who is told of changes. */
const OF_A_RUN = /^(hook|credential|oauth)\./;

const headSchema = z.strictObject({ world: z.string() });
const lineSchema = z.strictObject({ at_ms: z.number(), change: z.looseObject({ kind: z.string() }) });

/**
 * Keeps changes in a file, a line each: first those of earlier runs are made again, at the moments at which they were
 * made, then each new one is written before it is made. The seed makes the rest, git included, so the host is then what
 * it was. One change at a time. A last line that was cut off was never made, and goes.
 *
 * Throws when the file belongs to another world.
 */
export async function keepChanges(input: {
  file: string;
  world: { seed: number; spec: WorldSpec };
  /** tells when changes are made */
  clock: Clock;
  /** what `mutate` reads the time from */
  changeClock: ChangeClock;
  mutate: Mutate;
}): Promise<Mutate> {
  const { file, clock, changeClock, mutate } = input;
  const world = createHash('sha256').update(JSON.stringify(input.world)).digest('hex');
  const [head, ...lines] = await readWhole(file);
  if (head === undefined) await writeFile(file, `${JSON.stringify({ world })}\n`);
  else if (headSchema.parse(JSON.parse(head)).world !== world) {
    throw new Error(
      `${file} holds changes of another seed or size. Start that one again, or choose another --data folder, or remove the file.`,
    );
  }
  for (const line of lines) {
    const { at_ms, change } = lineSchema.parse(JSON.parse(line));
    changeClock.stopAt(at_ms);
    // Refused now, it was refused then.
    await mutate(change).catch((error: unknown) => {
      if (!(error instanceof MutationError) && !(error instanceof z.ZodError)) throw error;
    });
  }

  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const made = last.then(async () => {
      const at_ms = clock.nowMs();
      changeClock.stopAt(at_ms);
      const line = lineSchema.safeParse({ at_ms, change });
      if (line.success && !OF_A_RUN.test(line.data.change.kind)) {
        await appendFile(file, `${JSON.stringify(line.data)}\n`);
      }
      return mutate(change);
    });
    last = made.catch(() => {});
    return made;
  };
}

/** The lines of the file; what stands behind the last line break is cut off. None: there is no file. */
async function readWhole(file: string): Promise<string[]> {
  const text = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const end = text.lastIndexOf('\n') + 1;
  if (end < text.length) await truncate(file, end);
  return text
    .subarray(0, end)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}
