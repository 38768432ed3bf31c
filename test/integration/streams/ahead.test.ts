import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BitbucketAnswer, BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

/** While Postgres writes a page the host is asked for the next one, and for no other. */

/** Four pages. */
const WORLD = acmeWorld([{ slug: 'long', pullRequests: 180, commits: 20 }]);

let situation: Situation;
let holder: postgres.Sql;
let repositoryId: string;
beforeAll(async () => {
  situation = await createSituation({ world: WORLD });
  holder = postgres(situation.testDatabase.superuserUrl, { max: 2, onnotice: () => {} });
  repositoryId = await situation.repository('acme/long');
});
afterAll(async () => {
  await holder?.end();
  await situation?.close();
});

async function begin(): Promise<ImportInput> {
  situation.simulator.journal.clear();
  return { ...(await situation.startImport(repositoryId, 'full')), streams: ['pull_requests'] };
}

const asked = (): string[] =>
  situation.simulator.journal.since(0).flatMap(({ page }) => (page === null ? [] : [page]));

test('the second page is asked for while the first cannot be written, and the third is not', async () => {
  const input = await begin();
  let reading: Promise<unknown> | undefined;
  await holder.begin(async (held) => {
    await held`lock table pull_requests in exclusive mode`;
    reading = situation.chunk(input);
    reading.catch(() => {});
    await waitFor({
      what: 'the first page waits to be written, and the second has been answered',
      read: async () => {
        const [row] = await holder`select count(*)::int as waiting from pg_locks l
          join pg_class c on c.oid = l.relation where c.relname = 'pull_requests' and not l.granted`;
        const answered = situation.simulator.journal.since(0).filter(({ status }) => status === 200);
        return { waiting: Number(row?.['waiting']), answered: answered.length };
      },
      until: ({ waiting, answered }) => waiting === 1 && answered === 2,
    });
    expect(asked()).toHaveLength(2);
  });
  await reading;
  const pages = asked();
  expect(pages.length).toBeGreaterThanOrEqual(4);
  expect(new Set(pages).size).toBe(pages.length);
  expect(await situation.streamStates(input)).toMatchObject([{ state: 'healthy', stored: 180 }]);
});

test('each answer is read once, also one that was asked for ahead', async () => {
  const reads: number[] = [];
  /** Counts how often somebody looks into the answer. */
  const counting: BitbucketClient = {
    get: async (request) => {
      const { json, ...answer } = await situation.bitbucket.get(request);
      const index = reads.push(0) - 1;
      return Object.defineProperty(answer, 'json', {
        enumerable: true,
        get: () => {
          reads[index] = (reads[index] ?? 0) + 1;
          return json;
        },
      }) as BitbucketAnswer;
    },
  };
  const input = await begin();
  await situation.chunk(input, { bitbucket: counting });
  expect(reads.length).toBeGreaterThanOrEqual(4);
  expect(reads).toEqual(reads.map(() => 1));
});
