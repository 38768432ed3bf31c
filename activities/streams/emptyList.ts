import { z } from 'zod';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { BitbucketError, FeatureGone, NotFound } from '../bitbucket/errors.ts';
import { readPage } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import { Replaced } from './replaced.ts';
import { pathOf, samePlace } from './streamReader.ts';
import type { Place, Position, Step, StreamReader } from './streamReader.ts';

/** So many empty answers in a row are believed: those of a list, and of another list or the oldest record for it. */
const EMPTY_ANSWERS = 3;

/** So many more are believed where nothing is to be had of the oldest record: an allowance may give one request at a time. */
const WITHOUT_OLDEST = 2;

const oldestSchema = z.object({ id: z.int() });

const emptiedSchema = z.object({
  /** path and query of the place */
  path: z.string(),
  /** so many empty answers in a row were met */
  times: z.int(),
  /** another list shows what must be in this one, or its oldest record is there */
  contradicted: z.boolean(),
  /** all of them were met: whether it was the repository itself that gave them, false: to be asked */
  itself: z.boolean().optional(),
});
export type Emptied = z.infer<typeof emptiedSchema>;

/** What a position keeps of a place that was empty, when no more could be asked. */
export function emptiedOf(position: Position | null): Emptied | undefined {
  const parsed = emptiedSchema.safeParse(position?.['emptied']);
  return parsed.success ? parsed.data : undefined;
}

export interface Doubt {
  reader: StreamReader;
  /** what has just been answered by an empty page */
  step: Extract<Step, { kind: 'request' }>;
  /** what was known when the chunk began */
  before: Emptied | undefined;
  /** whether this chunk may ask for more */
  mayAsk: () => boolean;
  ask: (place: Place) => Promise<BitbucketAnswer>;
  /** throws Replaced where another repository has the name */
  mustBeItself: () => Promise<void>;
  keep: (emptied: Emptied) => Promise<void>;
}

/**
 * A false empty answer looks like a true one (docs/decisions/as-few-requests-as-possible.md). Undefined: nothing speaks
 * against it; else what the place answers now. Where a question is refused (an allowance may give one request at a time, so
 * that the last never came), or the chunk is full (`later`), it is kept how often the place was empty: whoever goes on
 * asks there for the next time.
 * What would be believed is held against what is stored: another repository, which has got the name, may be rightly empty
 * (docs/decisions/a-name-is-not-a-repository.md).
 * Throws what `ask` throws, InvalidResponse where another list, or the oldest record, shows that this one is false, and
 * Replaced.
 */
export async function askIfEmpty(doubt: Doubt): Promise<BitbucketAnswer | 'later' | undefined> {
  const { reader, step, before } = doubt;
  const path = pathOf(step.place);
  if (before?.itself === true && before.path === path) return undefined;
  const again = await askAgain(doubt);
  if (again !== undefined || (await reader.mayBeOfAnother?.(step.at)) !== true) return again;
  const toAsk: Emptied = { path, times: 0, contradicted: false, itself: false };
  if (!doubt.mayAsk()) {
    await doubt.keep(toAsk);
    return 'later';
  }
  try {
    await doubt.mustBeItself();
  } catch (error) {
    if (error instanceof BitbucketError && !(error instanceof Replaced)) await doubt.keep(toAsk);
    throw error;
  }
  return undefined;
}

/** Asks as often as an empty answer must be met to be believed. */
async function askAgain(doubt: Doubt): Promise<BitbucketAnswer | 'later' | undefined> {
  const { reader, step, ask } = doubt;
  const witness = reader.witness(step.at, step.place);
  if (witness === undefined) return undefined;
  const path = pathOf(step.place);
  const before = doubt.before?.path === path ? doubt.before : undefined;
  const enough = reader.emptyAnswers ?? EMPTY_ANSWERS;
  let times = 1 + (before?.times ?? 0);
  let contradicted = before?.contradicted ?? false;
  let elsewhere = before === undefined && !samePlace(witness, step.place);
  let oldest = reader.oldest?.(step.at);
  let most = oldest === undefined ? enough : enough + WITHOUT_OLDEST;
  while (times < (contradicted ? enough : most)) {
    if (!doubt.mayAsk()) {
      await doubt.keep({ path, times, contradicted });
      return 'later';
    }
    try {
      if (elsewhere) {
        const isEmpty = await isEmptyToo(witness, ask);
        if (isEmpty === true) times += 1;
        contradicted = isEmpty === false;
      } else if (oldest !== undefined && !contradicted && times >= enough - (oldest.isLasting ? 1 : 0)) {
        const isShown = await isOldestShown(oldest.place, ask);
        if (isShown === false) {
          if (oldest.isLasting) times += 1;
          most = enough;
        }
        contradicted = isShown === true;
        // Whoever goes on may not be able to ask for it.
        if (contradicted) await doubt.keep({ path, times, contradicted });
        oldest = undefined;
      } else {
        const answer = await ask(step.place);
        if (readPage(answer, 'a list').values.length > 0) return answer;
        times += 1;
      }
      elsewhere = false;
    } catch (error) {
      if (error instanceof BitbucketError) await doubt.keep({ path, times, contradicted });
      throw error;
    }
  }
  if (contradicted) {
    const why = 'while another list shows what must be in it, or its oldest record is there';
    throw unreadable(reader.stream, `is empty, ${why}`);
  }
  return undefined;
}

/** Undefined: nobody may know. Throws InvalidResponse for what is neither a record nor a refusal. */
async function isOldestShown(place: Place, ask: Doubt['ask']): Promise<boolean | undefined> {
  try {
    const { json, status } = await ask(place);
    if (!oldestSchema.safeParse(json).success) throw unreadable(pathOf(place), 'is not a record', { status });
    return true;
  } catch (error) {
    // One that was deleted may be 410 (facts 3.8).
    if (error instanceof NotFound || error instanceof FeatureGone) return false;
    if (error instanceof BitbucketError && error.retry.kind === 'never') return undefined;
    throw error;
  }
}

/** Undefined: it is not to be had. */
async function isEmptyToo(witness: Place, ask: Doubt['ask']): Promise<boolean | undefined> {
  const told = await ask(witness).catch((error: unknown) => {
    if (error instanceof BitbucketError && error.retry.kind === 'never') return undefined;
    throw error;
  });
  return told === undefined ? undefined : readPage(told, 'a list').values.length === 0;
}
