import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BitbucketAnswer, BitbucketClient } from '../../../activities/bitbucket/client.ts';
import type { ImportMode, Stream } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const PULL_REQUESTS: Stream[] = ['pull_requests', 'pull_request_activity', 'pull_request_comments'];

let situation: Situation;
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
});
afterAll(() => situation.close());
afterEach(() => situation.simulator.faults.clear());

/** What was asked for since `from`, without workspace, repository and query. */
const asked = (from: number): string[] =>
  situation.simulator.journal
    .since(0)
    .slice(from)
    .map(({ path }) => path.replace(/^.*?\/repositories\/[^/]+\/[^/]+\/|\?.*$/g, ''));

interface Imported {
  input: ImportInput;
  paths: string[];
}

async function imported(
  repositoryId: string,
  options: { mode?: ImportMode; streams?: Stream[]; bitbucket?: BitbucketClient } = {},
): Promise<Imported> {
  const { mode = 'changed', streams, bitbucket } = options;
  const before = situation.simulator.journal.since(0).length;
  const started = await situation.startImport(repositoryId, mode);
  const input = streams === undefined ? started : { ...started, streams };
  await situation.importAll(input, {
    limits: { requests: 1_000 },
    ...(bitbucket === undefined ? {} : { bitbucket }),
  });
  return { input, paths: asked(before) };
}

const expectAllStored = async (input: ImportInput): Promise<void> => {
  for (const state of await situation.streamStates(input)) {
    expect(state, String(state['stream'])).toMatchObject({ state: 'healthy', stored: state['expected'] });
  }
};

describe('a repository without pull requests and tickets', () => {
  let repositoryId: string;
  const again = () => imported(repositoryId);

  test('costs seven requests: empty answers are believed once the first record is not found', async () => {
    repositoryId = await situation.repository('acme-rockets/blank-slate');
    const { paths, input } = await imported(repositoryId);
    expect(paths).toEqual([
      'pullrequests',
      'pullrequests/activity',
      'pullrequests/1',
      'issues',
      'issues',
      'issues',
      'issues/1',
    ]);
    await expectAllStored(input);
  });

  test('costs two the next time: the import before was the witness', async () => {
    expect((await again()).paths).toEqual(['pullrequests', 'issues']);
  });
});

describe('the comments and changes of tickets', () => {
  const REPOSITORY = 'acme-rockets/secret-sauce';
  interface Truth {
    kind: string;
    repository: string;
    number: number;
    ticket: number;
    created_on: string;
    updated_on: string;
  }
  let repositoryId: string;
  let tickets: Truth[];
  /** how many of either each ticket has */
  let shown: Record<'comments' | 'changes', Map<number, number>>;
  beforeAll(async () => {
    repositoryId = await situation.repository(REPOSITORY);
    const [row] = await situation.rows(
      sql`select provider_uuid from repositories where id = ${repositoryId}`,
    );
    const truth = await fetch(`${situation.simulator.url}/_simulator/state`);
    const all = (await truth.text())
      .split('\n')
      .filter((line) => line.includes('"kind":"ticket'))
      .map((line) => JSON.parse(line) as Truth)
      .filter(({ repository }) => repository === row?.['provider_uuid']);
    const of = (kind: string) => all.filter((one) => one.kind === kind);
    tickets = of('ticket');
    const counts = (kind: string) =>
      new Map(
        tickets.map(({ number }) => [number, of(kind).filter(({ ticket }) => ticket === number).length]),
      );
    shown = { comments: counts('ticket_comment'), changes: counts('ticket_change') };
  });
  afterAll(() => situation.rows(sql`delete from repositories where id = ${repositoryId}`));

  const wanted = (list: 'comments' | 'changes', whole: boolean): string[] =>
    tickets.flatMap(({ number, created_on: created, updated_on: updated }) => {
      const path = `issues/${String(number)}/${list}`;
      const touched = updated !== created;
      if (!touched) return whole ? [path] : [];
      return shown[list].get(number) === 0 ? [path, path, path] : [path];
    });
  const of = (list: string, paths: readonly string[]) =>
    paths.filter((path) => path.endsWith(`/${list}`) && path.startsWith('issues/'));

  test.each<['comments' | 'changes', ImportMode]>([
    ['comments', 'changed'],
    ['changes', 'changed'],
    ['comments', 'full'],
    ['changes', 'full'],
  ])(
    '%s, %s: one request of each ticket that was touched, two more where the list is empty',
    async (list, mode) => {
      await situation.rows(sql`delete from streams`);
      const { paths } = await imported(repositoryId, { mode });
      expect(of(list, paths)).toEqual(wanted(list, mode === 'full'));
      const empty = [...shown[list].values()].filter((count) => count === 0);
      expect(empty.length).toBeGreaterThan(0);
      expect(empty.length).toBeLessThan(tickets.length);
    },
  );
});

describe('false empty lists', () => {
  const everywhere = (path: string) => ({ match: { path }, fault: { kind: 'empty_list' } });
  const count = async (table: string): Promise<number> => {
    const [row] = await situation.rows(sql`select count(*)::int as n from ${sql.identifier(table)}`);
    return Number(row?.['n']);
  };

  const notFound = (path: string) => ({ match: { path }, fault: { kind: 'status', status: 404 } });

  test('that last for a whole import, whose first record is not found either, are believed by it, and hide nothing from the next', async () => {
    const repositoryId = await situation.repository('acme-rockets/secret-sauce');
    situation.simulator.faults.set({
      rules: [
        ...['/pullrequests/1\\?', '/issues/1\\?'].map(notFound),
        everywhere('/pullrequests'),
        everywhere('/issues'),
      ],
    });
    await imported(repositoryId);
    expect(await count('pull_requests')).toBe(0);
    situation.simulator.faults.clear();
    const { input } = await imported(repositoryId);
    expect(await count('pull_requests')).toBeGreaterThan(0);
    expect(await count('tickets')).toBeGreaterThan(0);
    await expectAllStored(input);
    expect(await situation.differences()).toBe('');
  });

  test('of what changed are known to be false, since the newest record must be among it', async () => {
    const repository = 'acme-rockets/secret-sauce';
    const [row] = await situation.rows(sql`select id from repositories where full_name = ${repository}`);
    const { simulator } = situation;
    simulator.clock.advance(20 * 60_000);
    await simulator.mutate({ kind: 'pull_request.edit', repository, number: 2, title: 'Changed' });
    await simulator.mutate({ kind: 'ticket.edit', repository, number: 1, title: 'Changed' });
    simulator.clock.advance(20 * 60_000);
    const first = (path: string) => ({ ...everywhere(path), nth: 1 });
    simulator.faults.set({ rules: ['/pullrequests\\?', '/pullrequests/activity', '/issues\\?'].map(first) });
    await imported(String(row?.['id']));
    expect(simulator.faults.report().rules.map(({ played }) => played)).toEqual([1, 1, 1]);
    expect(await situation.differences()).toBe('');
  });
});

describe('a small repository', () => {
  let repositoryId: string;

  test('costs its pages: one of pull requests, those of its activity', async () => {
    repositoryId = await situation.repository('acme-rockets/launch-scripts');
    const { paths, input } = await imported(repositoryId, { streams: PULL_REQUESTS });
    const [row] = await situation.rows(sql`select count(*)::int as n from pull_request_activity`);
    const pages = Math.ceil(Number(row?.['n']) / 50);
    expect(paths.filter((path) => path === 'pullrequests')).toHaveLength(1);
    expect(paths.filter((path) => path === 'pullrequests/activity').length).toBeLessThanOrEqual(pages + 1);
    expect(paths.filter((path) => !/^pullrequests(\/activity)?$/.test(path))).toEqual([]);
    await expectAllStored(input);
    expect(await situation.differences()).toBe('');
  });

  test('costs two when nothing changed', async () => {
    const { paths } = await imported(repositoryId, { streams: PULL_REQUESTS });
    expect(paths).toEqual(['pullrequests', 'pullrequests/activity']);
  });
});

describe('comments that the feed does not show in full', () => {
  const REPOSITORY = 'acme-rockets/telemetry';
  let repositoryId: string;
  let flawed: BitbucketClient;
  let hidden: number[];

  beforeAll(async () => {
    repositoryId = await situation.repository(REPOSITORY);
    const truth = await fetch(`${situation.simulator.url}/_simulator/state`);
    const lines = (await truth.text()).split('\n').filter((line) => line.includes('"kind":"comment"'));
    const [row] = await situation.rows(
      sql`select provider_uuid from repositories where id = ${repositoryId}`,
    );
    const commented = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line['repository'] === row?.['provider_uuid'] && line['deleted'] === false)
      .map((line) => Number(line['pull_request']));
    hidden = [...new Set(commented)].toSorted((a, b) => a - b).slice(0, 4);
    flawed = hiding(new Set(hidden.slice(0, 2)), new Set(hidden.slice(2)));
  });

  /** The feed, and each pull request's own activity, leave out the comments of some and shorten those of others. */
  function hiding(without: Set<number>, short: Set<number>): BitbucketClient {
    interface Entry {
      pull_request: { id: number };
      comment?: Record<string, unknown>;
    }
    return {
      get: async (request) => {
        const answer = await situation.bitbucket.get(request);
        if (!(request.path ?? request.next ?? '').includes('/activity')) return answer;
        const json = JSON.parse(Buffer.from(answer.bytes).toString('utf8')) as { values: Entry[] };
        json.values = json.values.filter((entry) => !(entry.comment && without.has(entry.pull_request.id)));
        for (const entry of json.values) {
          if (short.has(entry.pull_request.id)) delete entry.comment?.['content'];
        }
        return { ...answer, json, bytes: Buffer.from(JSON.stringify(json)) } satisfies BitbucketAnswer;
      },
    };
  }

  const lists = (paths: string[]): string[] => paths.filter((path) => /^pullrequests\/\d/.test(path));
  const derived = () =>
    situation.rows(sql`select distinct pull_request_number as number from pull_request_activity
      where repository_id = ${repositoryId} and raw ->> 'from' = 'comments' order by 1`);

  test('cost one request a pull request: its list of comments, from which its entries follow', async () => {
    const { paths, input } = await imported(repositoryId, { streams: PULL_REQUESTS, bitbucket: flawed });
    expect(lists(paths)).toEqual(hidden.map((number) => `pullrequests/${String(number)}/comments`));
    await expectAllStored(input);
    expect(await situation.differences()).toBe('');
    expect((await derived()).map(({ number }) => number)).toEqual(hidden.slice(0, 2));
  });

  test('cost nothing more when nothing changed', async () => {
    const { paths } = await imported(repositoryId, { streams: PULL_REQUESTS, bitbucket: flawed });
    expect(lists(paths)).toEqual([]);
  });

  test('give way to the entries of the feed where it shows them later', async () => {
    const { paths, input } = await imported(repositoryId, { mode: 'full', streams: PULL_REQUESTS });
    expect(lists(paths)).toEqual([]);
    await expectAllStored(input);
    expect(await derived()).toEqual([]);
    expect(await situation.differences()).toBe('');
  });
});
