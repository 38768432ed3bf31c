import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { BitbucketAnswer, BitbucketClient } from '../../../activities/bitbucket/client.ts';
import type { Stream } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/telemetry';
const STREAMS: Stream[] = ['pull_requests', 'pull_request_activity', 'pull_request_comments'];

/** The feed of pull requests, as a request for it begins. */
export const FEED = '/pullrequests/activity';
/** A chunk is all of an import. */
export const limits = { requests: 1_000 };

/** Requests for the own activity of one pull request. */
export const ownOf = (paths: string[]): string[] =>
  paths.filter((path) => /^pullrequests\/\d+\/activity/.test(path));

/**
 * A repository whose pull requests are imported with their feed; each test begins without any of it stored. Called at the
 * top of a test file: opens before its tests, closes behind them.
 */
export function useFeedSituation() {
  let situation: Situation;
  let repositoryId: string;
  /** requests before the test */
  let before = 0;
  beforeAll(async () => {
    situation = await createSituation({ size: 'small' });
    repositoryId = await situation.repository(REPOSITORY);
  });
  afterAll(() => situation.close());
  beforeEach(async () => {
    const tables = ['streams', 'pull_requests', 'pull_request_activity', 'pull_request_comments'];
    for (const table of tables) await situation.rows(sql`delete from ${sql.identifier(table)}`);
    before = situation.simulator.journal.since(0).length;
  });
  afterEach(() => situation.simulator.faults.clear());

  const paths = (): string[] =>
    situation.simulator.journal
      .since(0)
      .slice(before)
      .map(({ path }) => path);

  return {
    get situation() {
      return situation;
    },
    start: async (mode: 'changed' | 'full' = 'changed'): Promise<ImportInput> => ({
      ...(await situation.startImport(repositoryId, mode)),
      streams: STREAMS,
    }),
    mutate: (kind: string, more: Record<string, unknown>) =>
      situation.simulator.mutate({ kind, repository: REPOSITORY, ...more }),
    /** Paths with their queries, of this test. */
    paths,
    /** The same under the repository, without their queries. */
    asked: (): string[] =>
      paths()
        .map((path) => path.replace(/^.*?\/telemetry\/|\?.*$/g, ''))
        .filter((path) => path !== ''),
    reported: async (input: ImportInput) => {
      const [row] = await situation.rows(sql`select method, notes from import_streams
        where import_id = ${input.importId} and stream = 'pull_request_activity'`);
      // Entries that say nothing are there whichever way the activity is read.
      const notes = Object.keys(row?.['notes'] as object).filter((code) => code !== 'entries_without_kind');
      return { method: row?.['method'], notes };
    },
    expectExact: async (input: ImportInput): Promise<void> => {
      expect(await situation.differences()).toBe('');
      for (const state of await situation.streamStates(input)) {
        expect(state, String(state['stream'])).toMatchObject({ state: 'healthy', stored: state['expected'] });
      }
    },
    /** The feed's answers, changed on their way; `page` counts from 1. */
    feedChanged: (
      change: (json: { values: unknown[]; next?: string }, page: number) => void,
    ): BitbucketClient => {
      let page = 0;
      return {
        get: async (request) => {
          const answer = await situation.bitbucket.get(request);
          if (!(request.path ?? request.next ?? '').includes(FEED)) return answer;
          const json = JSON.parse(Buffer.from(answer.bytes).toString('utf8')) as { values: unknown[] };
          change(json, (page += 1));
          return { ...answer, json, bytes: Buffer.from(JSON.stringify(json)) } satisfies BitbucketAnswer;
        },
      };
    },
  };
}
