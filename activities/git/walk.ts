import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import type { ImportMode } from '../../workflows/words.ts';
import { countCommits, listCommits, presentCommits, type Walk } from './revisionList.ts';
import type { Git } from './process.ts';

/** Where the walk in hand stands. Small: it is written with every page. */
export const positionSchema = z.object({
  /** so many commits of the walk's list are stored */
  at: z.number().int().nonnegative(),
  last: z.string().nullable(),
  /** SHA-256 over the hashes so far: proof that another worker's git lists them in the same order */
  digest: z.string(),
  /** what this walk changed of what is stored (`storedSchema`); left out: nothing, or nobody asks */
  changed: z.string().optional(),
});
export type Position = z.infer<typeof positionSchema>;

/** Raised with every change of what is read from a commit: what was stored before is then read again by a full import. */
const READ_BY = 1;

/**
 * The digest of all rows (`digestOfCommits`) as they were read. A commit never changes under its hash, so while it holds, and
 * they were read as they would be today, reading them again would find the same.
 */
const storedSchema = z.object({ digest: z.string(), readBy: z.number().int() });

const ownMemorySchema = z.object({
  /** everything that these commits lead to is stored */
  completed: z.array(z.string()).default([]),
  /** the import that last read everything again, or found that it need not */
  fullImportId: z.string().nullable().default(null),
  /** what the rows were when all of `completed` was stored; null: not known, so a full import reads everything */
  stored: storedSchema.nullable().default(null),
  /** was completed, and no branch or tag is there any more: what only these lead to is still to be marked */
  left: z.array(z.string()).default([]),
  walk: z
    .object({
      importId: z.string(),
      mode: z.enum(['changed', 'full']),
      heads: z.array(z.string()),
      without: z.array(z.string()),
    })
    .nullable()
    .default(null),
});
/**
 * What the stream `commits` remembers; written when a walk begins and ends. What walks over the API `listed` was stored
 * without what git tells, so here it is only what may be out of reach by now.
 */
export const memorySchema = ownMemorySchema
  .extend({ listed: z.array(z.string()).default([]) })
  .transform(({ listed, ...memory }) => ({ ...memory, left: [...memory.left, ...listed] }));
export type Memory = z.infer<typeof memorySchema>;

export interface WalkState {
  position: Position | null;
  memory: Memory;
}

interface Place {
  git: Git;
  folder: string;
  signal: AbortSignal;
}

/**
 * What was counted and found in a clone while it is held. Nobody else changes it then, and each question is a process of
 * git: for a small repository these cost more than its commits.
 */
export interface Findings {
  counts: Map<string, number>;
  present: Set<string>;
}
export const noFindings = (): Findings => ({ counts: new Map(), present: new Set() });

interface KnownPlace extends Place {
  findings: Findings;
}

export const startPosition = (): Position => ({
  at: 0,
  last: null,
  digest: emptyDigest().copy().digest('hex'),
});

const emptyDigest = (): Hash => createHash('sha256');

/** What is to be walked, and what it means for the import's progress. */
export interface NextWalk {
  state: WalkState;
  /** commits that the heads of now (and of the walk) lead to in all */
  expected: number;
  /** those of them that are not known to be stored */
  missing: number;
}

/**
 * Decides what to walk (design 6.1): the walk in hand while its frozen heads are still there (after a force
 * push they may not be), else from the heads of now down to what earlier walks completed. A `full` import
 * walks everything once, unless what is stored is what was read (`holds`). A walk over everything that meets rows repairs
 * them, whatever was asked for: its end says that they are as they were read. With `state.memory.walk: null` in the answer
 * everything is stored.
 */
export async function nextWalk(
  place: KnownPlace,
  state: WalkState,
  heads: readonly string[],
  request: {
    importId: string;
    mode: ImportMode;
    holds: (digest: string) => Promise<boolean>;
    /** no commit of the repository is stored */
    isEmpty: () => Promise<boolean>;
  },
): Promise<NextWalk> {
  const { position } = state;
  let { memory } = state;
  const { importId, mode } = request;
  let mustReadAll = mode === 'full' && memory.fullImportId !== importId;
  const own = mustReadAll && memory.walk?.importId === importId;
  if (mustReadAll && !own && (await isAsRead(state, request.holds))) {
    memory = { ...memory, fullImportId: importId };
    mustReadAll = false;
  }
  const inHand = memory.walk;
  if (inHand !== null && position !== null && (!mustReadAll || own)) {
    if (await allPresent(place, inHand)) return measured(place, { position, memory }, heads);
  }
  // A walk that is given up may have stored what nothing leads to any more, and what nobody has added up.
  if (inHand !== null) memory = { ...memory, left: [...memory.left, ...inHand.heads], stored: null };
  const without = mustReadAll ? [] : await presentOf(place, memory.completed);
  const known = new Set(without);
  if (heads.every((head) => known.has(head))) {
    return measured(place, { position: null, memory: settled({ ...memory, walk: null }, heads) }, heads);
  }
  const present = new Set(heads);
  memory = { ...memory, left: memory.left.filter((head) => !present.has(head)) };
  const repairs = mode === 'full' || (without.length === 0 && !(await request.isEmpty()));
  const walk: Memory['walk'] = { importId, mode: repairs ? 'full' : mode, heads: [...heads], without };
  return measured(place, { position: startPosition(), memory: { ...memory, walk } }, heads);
}

async function measured(place: KnownPlace, state: WalkState, now: readonly string[]): Promise<NextWalk> {
  const { walk } = state.memory;
  const heads = [...new Set([...now, ...(walk?.heads ?? [])])];
  const expected = await count(place, { heads, without: [] });
  if (walk === null) return { state, expected, missing: 0 };
  const behind = walk.without.length === 0 ? expected : await count(place, { heads, without: walk.without });
  return { state, expected, missing: behind - (state.position?.at ?? 0) };
}

/** Whether all rows are as they were read, and as they would be read today. */
async function isAsRead(
  { position, memory: { stored } }: WalkState,
  holds: (digest: string) => Promise<boolean>,
): Promise<boolean> {
  if (stored === null || stored.readBy !== READ_BY) return false;
  return holds(xor(stored.digest, position?.changed));
}

/** Two digests in one; one that is left out changes nothing. */
export const xor = (left: string, right = '0'): string => String(BigInt(left) ^ BigInt(right));

/** The memory when what is stored was changed by so much. */
export const withChanged = (memory: Memory, changed: string | undefined): Memory => ({
  ...memory,
  stored: memory.stored && { ...memory.stored, digest: xor(memory.stored.digest, changed) },
});

/**
 * The memory after a walk came to its end. `digest`: of all that is stored, behind a walk that read everything; others have
 * added up what they changed.
 */
export function completed({ position, memory }: WalkState, digest: string | undefined): Memory {
  const { walk } = memory;
  if (walk === null) return memory;
  const fullImportId = walk.mode === 'full' ? walk.importId : memory.fullImportId;
  const known =
    digest === undefined
      ? withChanged(memory, position?.changed)
      : { ...memory, stored: { digest, readBy: READ_BY } };
  return settled({ ...known, fullImportId, walk: null }, walk.heads);
}

/** Everything that `heads` lead to is stored. Those that were completed and are none of them are left behind. */
function settled(memory: Memory, heads: readonly string[]): Memory {
  const present = new Set(heads);
  const left = [...memory.left, ...memory.completed].filter((head) => !present.has(head));
  return { ...memory, completed: [...heads], left: [...new Set(left)] };
}

/**
 * The list of the walk was in another order when the position was stored (another version of git): it must
 * begin again.
 */
export class OrderChanged extends Error {
  override readonly name = 'OrderChanged';
}

/**
 * The commits behind the position. `digest` then has taken in those before it; the caller adds each commit it
 * stores. Throws OrderChanged.
 */
export async function* commitsBehind(
  place: Place,
  walk: Walk,
  position: Position,
  digest: Hash,
): AsyncGenerator<string> {
  let at = 0;
  for await (const hash of listCommits(place.git, place.folder, walk, place.signal)) {
    at += 1;
    if (at > position.at) {
      yield hash;
      continue;
    }
    digest.update(hash);
    if (at === position.at && digest.copy().digest('hex') !== position.digest) throw new OrderChanged();
  }
  if (at < position.at) throw new OrderChanged();
}

async function allPresent(place: KnownPlace, walk: Walk): Promise<boolean> {
  const asked = [...walk.heads, ...walk.without];
  return (await presentOf(place, asked)).length === asked.length;
}

async function presentOf(
  { git, folder, signal, findings }: KnownPlace,
  asked: readonly string[],
): Promise<string[]> {
  const unknown = asked.filter((hash) => !findings.present.has(hash));
  for (const hash of await presentCommits(git, folder, unknown, signal)) findings.present.add(hash);
  return asked.filter((hash) => findings.present.has(hash));
}

async function count({ git, folder, signal, findings }: KnownPlace, walk: Walk): Promise<number> {
  const key = JSON.stringify(walk);
  const counted = findings.counts.get(key) ?? (await countCommits(git, folder, walk, signal));
  findings.counts.set(key, counted);
  return counted;
}
