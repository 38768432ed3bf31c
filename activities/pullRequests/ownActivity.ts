import {
  countActivity,
  pullRequestsOfRange,
  pullRequestsShortOfActivity,
  type KnownShort,
} from '../../db/queries/activity.ts';
import { activityStanding } from '../../db/queries/gaps.ts';
import type { Each, Repair } from './activityPosition.ts';
import { ACTIVITY_FIELDS } from '../bitbucket/fields.ts';
import { noteOnMissedEntries, noteOnSkipped, notesOnGaps } from '../streams/notes.ts';
import { ownListPlace } from '../streams/ownList.ts';
import { createCandidates, feedStarted, knownShort, type Candidate } from '../streams/repairList.ts';
import type { Completion, ReaderContext, Step } from '../streams/streamReader.ts';

/** More than these are simply asked again by the next import. */
const MAX_REMEMBERED = 5_000;

/** How what is expected is known: what was read, and the votes and ends that pull requests tell of. */
export const ENTRIES_AND_FACTS = 'entries_and_facts';

export interface OwnActivity {
  /** the next pull request of a range to ask for its own activity; undefined: none is left */
  each(position: Each): Promise<Step | undefined>;
  /** the next one that is short of a vote or an end; undefined: none is left */
  repair(position: Repair): Promise<Step | undefined>;
  /** what is known once all are read and compared */
  complete(position: Repair): Promise<Completion>;
}

/** Reads pull requests' own activity: of all in a range, and of those whose stored activity falls short. */
export function createOwnActivity(context: ReaderContext): OwnActivity {
  const { database, scope, source, checkpoint, mode, closing } = context;
  const isWhole = mode === 'full' || checkpoint.watermark === null;
  // Where nothing is known for certain, those that were short are asked again.
  const known = isWhole ? {} : knownShort(checkpoint.memory);
  const all = `/repositories/${source.fullName}/pullrequests`;
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);
  let candidates: ((after: number) => Promise<Candidate | undefined>) | undefined;
  let key = '';

  /** Look-ups go on while the same list of pull requests is walked. */
  async function next(
    position: Each | Repair,
    find: (after: number, limit: number) => Promise<Candidate[]>,
  ): Promise<Step | undefined> {
    const list = JSON.stringify(position.phase === 'each' ? position.range : position.except);
    if (candidates === undefined || key !== `${position.phase} ${list}`) {
      candidates = createCandidates(find);
      key = `${position.phase} ${list}`;
    }
    const number = position.inHand ?? (await candidates(position.after))?.number;
    if (number === undefined) return undefined;
    const own = `${all}/${String(number)}/activity?pagelen=50&fields=${ACTIVITY_FIELDS}`;
    const place = ownListPlace(position, { own, all, number });
    const isNext = position.phase === 'repair' && position.inHand === null;
    const contradicted = isNext ? { contradicted: position.contradicted + 1 } : {};
    return { kind: 'request', place, at: { ...position, ...contradicted, inHand: number } };
  }

  return {
    each: (position) =>
      next(position, (after, limit) =>
        inTransaction((tx) => pullRequestsOfRange(tx, scope, { ...position.range, after, limit })),
      ),
    repair: ({ except, ...position }) =>
      next({ ...position, except }, (after, limit) =>
        inTransaction((tx) => pullRequestsShortOfActivity(tx, scope, { after, known, limit, except })),
      ),
    async complete({ began, read, skipped, except, contradicted }) {
      const [rows, standing, short] = await inTransaction((tx) =>
        Promise.all([
          countActivity(tx, scope),
          activityStanding(tx, scope),
          pullRequestsShortOfActivity(tx, scope, {
            after: 0,
            known: {},
            limit: MAX_REMEMBERED,
            except: null,
          }),
        ]),
      );
      const memory: KnownShort = Object.fromEntries(short.map((one) => [one.number, one.updatedOn]));
      const whole = closing?.whole ?? isWhole;
      const started = feedStarted(checkpoint.memory);
      return {
        watermark: began ?? checkpoint.watermark,
        rows,
        whole,
        memory: {
          short: memory,
          // What is read down to a watermark shows no edits of what lies before it.
          started: isWhole ? (began ?? started) : started,
          givenUp: except !== null,
        },
        tally: { kind: 'counted', stored: whole ? rows : read, ...standing, basis: ENTRIES_AND_FACTS },
        notes: { ...notesOnGaps(standing), ...noteOnSkipped(skipped), ...noteOnMissedEntries(contradicted) },
      };
    },
  };
}
