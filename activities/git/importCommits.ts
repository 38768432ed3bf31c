import { createHash } from 'node:crypto';
import type { Database, Transaction } from '../../db/client.ts';
import {
  type CommitFileRow,
  type CommitRow,
  countMissingCommits,
  digestOfCommits,
  hasNoCommit,
  removeSurplusCommitFiles,
  upsertCommitFiles,
  upsertCommits,
} from '../../db/queries/commits.ts';
import { releaseStoredCommits } from '../../db/queries/quarantine.ts';
import { markByHeads, markCommitsUnreachable } from '../../db/queries/unreachable.ts';
import type { Progress } from '../../db/queries/importProgress.ts';
import type { ImportMode } from '../../workflows/words.ts';
import { type CommitPage, commitPages, oneAhead } from './commitPages.ts';
import { readCommits } from './commitReader.ts';
import type { Git } from './process.ts';
import { listCommits, presentCommits } from './revisionList.ts';
import {
  commitsBehind,
  completed,
  nextWalk,
  noFindings,
  OrderChanged,
  type Position,
  startPosition,
  withChanged,
  type WalkState,
  xor,
} from './walk.ts';

export interface CommitImport {
  database: Database;
  git: Git;
  /** the clone */
  folder: string;
  signal: AbortSignal;
  organizationId: string;
  repositoryId: string;
  importId: string;
  mode: ImportMode;
  /** the commits that branches and tags lead to now */
  heads: readonly string[];
  /** the checkpoint as it was opened */
  state: WalkState;
  /**
   * Moves the checkpoint from one state to the next, first thing in the transaction that stores what lies
   * between. Throws when another attempt took the stream over.
   */
  advance: (tx: Transaction, step: CheckpointStep) => Promise<void>;
  /** called after each page */
  onProgress: (stored: number) => void;
}

export interface CheckpointStep {
  from: WalkState;
  to: WalkState;
  progress: Progress;
}

/** One statement takes so many rows at most. */
const ROWS_A_STATEMENT = 5_000;

/**
 * Stores all commits that the heads lead to and that no earlier walk stored, page by page with the
 * checkpoint. Completed heads move only when a whole list is stored. Returns how many commits this attempt
 * stored.
 */
export async function importCommits(run: CommitImport): Promise<number> {
  let { state } = run;
  let stored = 0;
  const findings = noFindings();
  for (;;) {
    const place = { git: run.git, folder: run.folder, signal: run.signal, findings };
    const {
      state: begun,
      expected,
      missing,
    } = await nextWalk(place, state, run.heads, {
      ...run,
      holds: (digest) => isStored(run, digest),
      isEmpty: () => run.database.read(run.organizationId, (tx) => hasNoCommit(tx, rowsOf(run))),
    });
    const progress = { expected, storedInAll: expected - missing, basis: 'rev_list' };
    state = await move(run, { from: state, to: begun, progress });
    if (state.memory.walk === null) {
      state = await markUnreachable(run, state);
      await verify(run, state, expected);
      return stored;
    }
    try {
      for await (const after of storeWalk(run, state)) {
        stored += after.records;
        state = after.state;
        run.onProgress(stored);
      }
    } catch (error) {
      if (!(error instanceof OrderChanged)) throw error;
      // Nobody knows how much of what it changed it will meet again.
      const again = { position: startPosition(), memory: { ...state.memory, stored: null } };
      state = await move(run, { from: state, to: again, progress: {} });
      continue;
    }
    // It was listed to its end.
    for (const head of state.memory.walk?.heads ?? []) findings.present.add(head);
    state = await complete(run, state);
  }
}

/** Whether what is stored has this digest. */
const isStored = (run: CommitImport, digest: string): Promise<boolean> =>
  run.database.transaction(
    run.organizationId,
    async (tx) => (await digestOfCommits(tx, rowsOf(run))) === digest,
  );

const rowsOf = ({ organizationId, repositoryId }: CommitImport) => ({ organizationId, repositoryId });

/**
 * Behind a walk that read everything, what is stored is added up as a whole: it may have met rows of earlier walks. Those
 * that it did not meet are out of reach, whoever stored them: a list of the API brings commits before their parents.
 */
async function complete(run: CommitImport, state: WalkState): Promise<WalkState> {
  const { walk } = state.memory;
  return run.database.transaction(run.organizationId, async (tx) => {
    const readAll = walk?.without.length === 0;
    // Whoever had stored a page meanwhile would have moved it; from here on nobody does.
    if (readAll) await run.advance(tx, { from: state, to: state, progress: {} });
    const isMarked = readAll && walk.mode === 'full';
    if (isMarked) await markByHeads(tx, { ...rowsOf(run), heads: walk.heads });
    const memory = completed(state, readAll ? await digestOfCommits(tx, rowsOf(run)) : undefined);
    const to = { position: null, memory: isMarked ? { ...memory, left: [] } : memory };
    await run.advance(tx, { from: state, to, progress: {} });
    return to;
  });
}

/**
 * Marks what no branch or tag leads to any more: after a forced push, or when a branch was deleted. Rows stay, since pull
 * requests speak of them. A clone that does not know the old heads any more leaves it to Postgres to find out.
 */
async function markUnreachable(run: CommitImport, state: WalkState): Promise<WalkState> {
  const { left } = state.memory;
  if (left.length === 0) return state;
  const { git, folder, signal, heads, organizationId } = run;
  const isKnown = (await presentCommits(git, folder, left, signal)).length === left.length;
  const candidates: string[] = [];
  if (isKnown) {
    for await (const hash of listCommits(git, folder, { heads: left, without: heads }, signal))
      candidates.push(hash);
  }
  const scope = rowsOf(run);
  return run.database.transaction(organizationId, async (tx) => {
    const memory = { ...state.memory, left: [] };
    if (!isKnown) {
      // It may touch any row: adding all of them up twice would take longer than reading them once more some day.
      const to = { ...state, memory: { ...memory, stored: null } };
      await run.advance(tx, { from: state, to, progress: {} });
      await markByHeads(tx, { ...scope, heads });
      return to;
    }
    const to = { ...state, memory };
    await run.advance(tx, { from: state, to, progress: {} });
    const isAdded = memory.stored !== null && candidates.length > 0;
    const digest = () => digestOfCommits(tx, { ...scope, hashes: candidates });
    const before = isAdded ? await digest() : '0';
    await markCommitsUnreachable(tx, { ...scope, candidates, heads });
    if (!isAdded) return to;
    const added = { ...state, memory: withChanged(memory, xor(before, await digest())) };
    await run.advance(tx, { from: to, to: added, progress: {} });
    return added;
  });
}

/**
 * Holds the table against git: every commit that a head, or a stored commit in its reach, names must be stored. Where one is
 * not, the next import reads all of them again, and this one says so. What the API's list showed and could not be stored leaves the
 * quarantine here, where git brought it.
 */
async function verify(run: CommitImport, state: WalkState, expected: number): Promise<void> {
  const { organizationId, repositoryId } = run;
  await run.database.transaction(organizationId, async (tx) => {
    await releaseStoredCommits(tx, rowsOf(run));
    const { named, rows } = await countMissingCommits(tx, {
      organizationId,
      repositoryId,
      heads: run.heads,
    });
    if (named === 0) return;
    const missing = Math.min(expected, Math.max(named, expected - rows));
    const { completed: left } = state.memory;
    const memory = { ...state.memory, completed: [], left, fullImportId: null };
    const forgotten = { position: null, memory };
    const progress = { expected, storedInAll: expected - missing, basis: 'rev_list' };
    await run.advance(tx, { from: state, to: forgotten, progress });
  });
}

async function* storeWalk(
  run: CommitImport,
  begun: WalkState,
): AsyncGenerator<{ state: WalkState; records: number }> {
  const { walk } = begun.memory;
  let { position } = begun;
  if (walk === null || position === null) return;
  const digest = createHash('sha256');
  const hashes = commitsBehind(run, walk, position, digest);
  const pages = oneAhead(commitPages(readCommits(run.git, run.folder, hashes, run.signal)));
  for await (const page of pages) {
    for (const commit of page.commits) digest.update(commit.hash);
    const from = { position, memory: begun.memory };
    position = behind(position, page.commits, digest.copy().digest('hex'));
    const records = page.commits.length;
    const step = { from, to: { position, memory: begun.memory }, progress: { stored: records } };
    position = await storePage(run, page, step, walk);
    yield { state: { position, memory: begun.memory }, records };
  }
}

function behind(position: Position, commits: readonly CommitRow[], digest: string): Position {
  const at = position.at + commits.length;
  return { ...position, at, last: commits.at(-1)?.hash ?? position.last, digest };
}

/** Stores a page; returns the position behind it. A walk that does not read everything adds up what it changes. */
async function storePage(
  run: CommitImport,
  page: CommitPage,
  step: CheckpointStep & { to: { position: Position } },
  { mode, without }: { mode: ImportMode; without: readonly string[] },
): Promise<Position> {
  const { commits } = page;
  const scope = rowsOf(run);
  const where = { ...scope, mostlyThere: mode === 'full' };
  const { position, memory } = step.to;
  const isAdded = without.length > 0 && memory.stored !== null;
  const hashes = commits.map(({ hash }) => hash);
  return run.database.transaction(run.organizationId, async (tx) => {
    await run.advance(tx, step);
    const before = isAdded ? await digestOfCommits(tx, { ...scope, hashes }) : '0';
    await upsertCommits(tx, { ...where, commits });
    for (const files of slices(page.files)) await upsertCommitFiles(tx, { ...where, files });
    if (mode === 'full') await removeSurplusCommitFiles(tx, { ...scope, commits });
    if (!isAdded) return position;
    const changed = xor(before, await digestOfCommits(tx, { ...scope, hashes }));
    const to = { position: { ...position, changed: xor(changed, position.changed) }, memory };
    await run.advance(tx, { from: step.to, to, progress: {} });
    return to.position;
  });
}

async function move(run: CommitImport, step: CheckpointStep): Promise<WalkState> {
  await run.database.transaction(run.organizationId, (tx) => run.advance(tx, step));
  return step.to;
}

function* slices(files: readonly CommitFileRow[]): Generator<CommitFileRow[]> {
  for (let at = 0; at < files.length; at += ROWS_A_STATEMENT) yield files.slice(at, at + ROWS_A_STATEMENT);
}
