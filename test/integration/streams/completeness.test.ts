import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { FeatureGone, Forbidden, NotFound, RepositoryGone } from '../../../activities/bitbucket/errors.ts';
import { readRepositoryReport, totalCompleteness } from '../../../db/queries/api/completeness.ts';
import { addUp, completenessOf } from '../../../workflows/completeness.ts';
import type { ImportMode, Stream } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/telemetry';

let situation: Situation;
let repositoryId: string;
beforeAll(async () => {
  situation = await createSituation();
  repositoryId = await situation.repository(REPOSITORY);
});
afterAll(() => situation.close());

const inTenant = <T>(work: Parameters<typeof situation.database.transaction<T>>[1]): Promise<T> =>
  situation.database.transaction(situation.organizationId, work);

const begin = async (mode: ImportMode = 'changed', of = repositoryId): Promise<ImportInput> => {
  const input = await situation.startImport(of, mode);
  await situation.rows(sql`update import_repositories set state = 'running', started_at = clock_timestamp()
    where import_id = ${input.importId}`);
  return input;
};

/** As the workflow ends a repository; what it wrote. */
async function finish(input: ImportInput): Promise<Record<string, unknown>> {
  const activities = createImportActivities({ database: situation.database, isRunning: async () => false });
  await activities.finishRepository({ ...input, state: 'completed' });
  const [row] = await situation.rows(
    sql`select state, error from import_repositories where import_id = ${input.importId}`,
  );
  return row!;
}

const report = async (stream: Stream, of = repositoryId) => {
  const found = (await inTenant((tx) => readRepositoryReport(tx, of)))!.streams.find(
    (one) => one.stream === stream,
  )!;
  return { ...found, is: completenessOf(found), ...addUp(found) };
};

/** The real answers, but for paths that `refuse` throws for. */
const refusing = (refuse: (path: string) => Error | undefined): BitbucketClient => ({
  get: (request) => {
    const error = refuse(decodeURIComponent(request.path ?? request.next ?? ''));
    if (error !== undefined) return Promise.reject(error);
    return situation.bitbucket.get(request);
  },
});

const finding = { code: 'x', message: 'x', remedy: 'x' };

/** A pull request with comments, whose comments the feed then leaves out. */
async function commented(): Promise<{ number: number; comments: number }> {
  const [row] = await situation.rows(sql`select number, comment_count as comments from pull_requests
    where comment_count > 1 order by number limit 1`);
  return row as { number: number; comments: number };
}

/** The feed without the comments of one pull request, or of all, so that its own lists are asked for. */
const withoutCommentsOf = (
  of: number | 'all',
  refuse: (path: string) => Error | undefined,
): BitbucketClient => ({
  get: async (request) => {
    const path = decodeURIComponent(request.path ?? request.next ?? '');
    const error = refuse(path);
    if (error !== undefined) throw error;
    const answer = await situation.bitbucket.get(request);
    if (!path.includes('/activity')) return answer;
    const json = JSON.parse(Buffer.from(answer.bytes).toString('utf8')) as {
      values: { pull_request: { id: number }; comment?: object }[];
    };
    json.values = json.values.filter(
      (value) => (of !== 'all' && value.pull_request.id !== of) || value.comment === undefined,
    );
    return { ...answer, json, bytes: new TextEncoder().encode(JSON.stringify(json)) };
  },
});

async function firstImport(): Promise<void> {
  const input = await begin('full');
  await situation.importAll(input);
  await finish(input);
}

describe('a whole import', () => {
  test('adds up in every stream, and the totals say the same', async () => {
    const input = await begin('full');
    await situation.importAll(input);
    expect(await finish(input)).toMatchObject({ state: 'completed', error: null });
    for (const stream of input.streams) {
      const found = await report(stream);
      expect([stream, found.is, found.addsUp, found.missing]).toEqual([stream, 'complete', true, 0]);
      expect(found.stored, stream).toBeGreaterThan(0);
    }
    const totals = await inTenant((tx) => totalCompleteness(tx, input.importId));
    expect(totals.map(({ missing, complete, incomplete }) => [missing, complete, incomplete])).toEqual(
      input.streams.map(() => [0, 1, 0]),
    );
    expect((await report('pull_request_activity')).notes).toHaveProperty('entries_without_kind.count');
    expect(await situation.differences()).toBe('');
  });

  test('with a row that was lost fails as incomplete, names stream and numbers, and any next import repairs it', async () => {
    const large = await situation.repository('acme-rockets/flight-control');
    const pullRequests = async (mode: ImportMode): Promise<ImportInput> => ({
      ...(await begin(mode, large)),
      streams: ['pull_requests'],
    });
    const input = await pullRequests('full');
    // A row of the first page is lost while the second is read, as by a bug of ours.
    await situation.importAll(input, {
      bitbucket: {
        get: async (request) => {
          const answer = await situation.bitbucket.get(request);
          if (/id>[1-9]/.test(decodeURIComponent(request.path ?? ''))) {
            await situation.rows(
              sql`delete from pull_requests where number = 2 and repository_id = ${large}`,
            );
          }
          return answer;
        },
      },
      // The second page is asked for when the first is stored.
      limits: { requests: 1 },
    });
    const ended = await finish(input);
    expect(ended).toMatchObject({
      state: 'failed',
      error: {
        code: 'incomplete',
        message: expect.stringMatching(/pull_requests: 1 of 60 records missing/),
        remedy: expect.stringContaining('mode full'),
        details: { streams: [expect.objectContaining({ stream: 'pull_requests', missing: 1 })] },
      },
    });
    expect(await report('pull_requests', large)).toMatchObject({ is: 'incomplete', missing: 1 });
    // Told again after a lost answer, it says the same.
    expect(await finish(input)).toEqual(ended);
    const next = await pullRequests('changed');
    await situation.importAll(next);
    expect(await finish(next)).toMatchObject({ state: 'completed' });
    expect(await report('pull_requests', large)).toMatchObject({ is: 'complete', stored: 60, expected: 60 });
    await situation.rows(sql`delete from repositories where id = ${large}`);
  });
});

describe('gone at the source', () => {
  test('comments that are announced and not listed: proven by the own list, read to its end', async () => {
    await firstImport();
    const { number, comments } = await commented();
    await situation.rows(sql`delete from pull_request_comments where pull_request_number = ${number}`);
    const input = await begin('full');
    await situation.importAll(input, {
      bitbucket: {
        get: async (request) => {
          const path = decodeURIComponent(request.path ?? request.next ?? '');
          const own = new RegExp(`/pullrequests/${String(number)}/(comments|activity)`).test(path);
          const answer = await withoutCommentsOf(number, () => undefined).get(request);
          if (!own) return answer;
          const empty = { pagelen: 100, size: 0, page: 1, values: [] };
          return { ...answer, json: empty, bytes: new TextEncoder().encode(JSON.stringify(empty)) };
        },
      },
    });
    expect(await finish(input)).toMatchObject({ state: 'completed' });
    const found = await report('pull_request_comments');
    expect(found).toMatchObject({ is: 'complete', addsUp: true, gone: comments });
    expect(found.notes).toMatchObject({ announced_not_listed: { count: comments } });
    // Another version of the pull request: what was proven of the old one holds no more.
    await situation.simulator.mutate({ kind: 'comment.add', repository: REPOSITORY, number, raw: 'new' });
    const next = await begin();
    await situation.importAll(next);
    expect(await finish(next)).toMatchObject({ state: 'completed' });
    expect(await report('pull_request_comments')).toMatchObject({ gone: 0, missing: 0 });
    expect(await situation.differences()).toBe('');
  });

  test('a pull request that is not found is looked for in the list of all before it counts', async () => {
    await firstImport();
    const { number, comments } = await commented();
    await situation.rows(sql`delete from pull_request_comments where pull_request_number = ${number}`);
    const own = new RegExp(`/pullrequests/${String(number)}/comments`);
    const looks: string[] = [];
    const input = await begin('full');
    await situation.importAll(input, {
      bitbucket: withoutCommentsOf(number, (path) => {
        if (path.includes('q=id=')) looks.push(path);
        if (path.includes(`/pullrequests/${String(number)}/activity`)) return new NotFound({ finding });
        return own.test(path) ? new NotFound({ finding }) : undefined;
      }),
    });
    expect(looks.some((path) => path.endsWith(`q=id=${String(number)}`))).toBe(true);
    expect(await finish(input)).toMatchObject({ state: 'completed' });
    expect(await report('pull_request_comments')).toMatchObject({ addsUp: true, gone: comments });
  });

  test('a host that finds nothing any more is a failure, not a repository of gaps', async () => {
    await firstImport();
    const { number } = await commented();
    await situation.rows(sql`delete from pull_request_comments where pull_request_number = ${number}`);
    const input = await begin('full');
    const walk = situation.importAll(input, {
      bitbucket: withoutCommentsOf(number, (path) => {
        if (/\/pullrequests\/\d+\/(comments|activity)/.test(path)) return new NotFound({ finding });
        return path.includes('q=id=') ? new RepositoryGone({ finding }) : undefined;
      }),
    });
    await expect(walk).rejects.toBeInstanceOf(RepositoryGone);
    const [state] = await situation.rows(sql`select count(*)::int as n from import_streams
      where import_id = ${input.importId} and state = 'failed'`);
    expect(state).toEqual({ n: 1 });
  });
});

describe('a tracker that goes away while comments of tickets are read', () => {
  /** From the list of the third ticket on. */
  function goingAway(Refusal: typeof NotFound | typeof FeatureGone, isShown = true) {
    const asked: string[] = [];
    const bitbucket = refusing((path) => {
      if (asked.length === 0 && !/issues\/3\/comments/.test(path)) return undefined;
      asked.push(path.replace(/^.*\/telemetry\/?|\?.*$/g, ''));
      if (path.includes('/issues')) return new Refusal({ finding, path: path.replace(/\?.*$/, '') });
      return isShown ? undefined : new RepositoryGone({ finding });
    });
    return { asked, bitbucket };
  }

  async function beginWithout(): Promise<ImportInput> {
    await situation.rows(sql`delete from streams where stream like 'ticket%'`);
    await situation.rows(sql`delete from ticket_comments`);
    return begin('full');
  }

  test.each([
    ['switched off', NotFound, ['issues/3/comments', 'issues', '']],
    ['removed', FeatureGone, ['issues/3/comments', 'issues']],
  ])('%s: no failure, the rest goes on', async (_, Refusal, paths) => {
    const { asked, bitbucket } = goingAway(Refusal);
    const input = await beginWithout();
    await situation.importAll(input, { bitbucket });
    expect(asked.slice(0, paths.length)).toEqual(paths);
    // A closing round asks nothing of the tracker.
    expect(asked.slice(paths.length).filter((path) => path.startsWith('issues'))).toEqual([]);
    expect(await finish(input)).toMatchObject({ state: 'completed', error: null });
    const states = await situation.rows(sql`select state, last_error from import_streams
      where import_id = ${input.importId} and stream in ('ticket_comments', 'ticket_changes')`);
    expect(states).toEqual([
      { state: 'unavailable', last_error: finding },
      { state: 'unavailable', last_error: finding },
    ]);

    // It is back: so is the ticket that was in hand.
    const again = await begin('full');
    await situation.importAll(again);
    expect(await finish(again)).toMatchObject({ state: 'completed' });
    expect(await report('ticket_comments')).toMatchObject({ is: 'complete', notes: {} });
    expect(await situation.differences()).toBe('');
  });

  test('with the whole repository: a failure', async () => {
    const { bitbucket } = goingAway(NotFound, false);
    const walk = situation.importAll(await beginWithout(), { bitbucket });
    await expect(walk).rejects.toBeInstanceOf(RepositoryGone);
  });

  test.each([
    ['is not shown either', () => new RepositoryGone({ finding }), { name: 'RepositoryGone' }],
    ['is another one by now', () => undefined, { finding: { code: 'repository_replaced' } }],
  ])(
    'nor does a list of tickets that is not found prove anything where the repository %s',
    async (_, repository, thrown) => {
      const input = await beginWithout();
      const missing = refusing((path) =>
        path.includes('/issues') ? new NotFound({ finding, path: path.replace(/\?.*$/, '') }) : repository(),
      );
      // The name leads to another one; it is not to be seen by its own uuid either.
      const bitbucket: BitbucketClient = {
        get: async (request) => {
          if (request.path?.startsWith('/repositories/%7B%7D/') === true)
            throw new RepositoryGone({ finding });
          return { ...(await missing.get(request)), json: { uuid: '{another}' } };
        },
      };
      const walk = situation.importAll({ ...input, streams: ['tickets'] }, { bitbucket });
      await expect(walk).rejects.toMatchObject(thrown);
      const states = await situation.rows(sql`select state from import_streams
      where import_id = ${input.importId} and stream = 'tickets'`);
      expect(states).toEqual([{ state: 'failed' }]);
    },
  );
});

describe('not permitted', () => {
  test('one list that is refused is passed by and counted; several in a row are a failure', async () => {
    await firstImport();
    const { number, comments } = await commented();
    await situation.rows(sql`delete from pull_request_comments where pull_request_number = ${number}`);
    const own = new RegExp(`/pullrequests/${String(number)}/(comments|activity)`);
    const input = await begin('full');
    await situation.importAll(input, {
      bitbucket: withoutCommentsOf(number, (path) =>
        own.test(path) ? new Forbidden({ finding }) : undefined,
      ),
    });
    expect(await finish(input)).toMatchObject({ state: 'completed' });
    expect(await report('pull_request_comments')).toMatchObject({
      addsUp: true,
      gone: 0,
      notPermitted: comments,
    });
    await situation.rows(sql`delete from pull_request_comments`);
    const second = await begin('full');
    const all = withoutCommentsOf('all', (path) =>
      /\/pullrequests\/\d+\//.test(path) ? new Forbidden({ finding }) : undefined,
    );
    await expect(situation.importAll(second, { bitbucket: all })).rejects.toBeInstanceOf(Forbidden);
  });

  test('a ticket whose list is not shown: nobody knows how many records it has, so it is noted', async () => {
    const input = await begin('full');
    let refused = '';
    await situation.importAll(input, {
      bitbucket: refusing((path) => {
        const ticket = /\/issues\/(\d+)\/comments/.exec(path)?.[1];
        if (ticket !== undefined && refused === '') refused = ticket;
        return ticket !== undefined && ticket === refused ? new FeatureGone({ finding }) : undefined;
      }),
    });
    expect(refused).not.toBe('');
    expect(await finish(input)).toMatchObject({ state: 'completed' });
    const found = await report('ticket_comments');
    expect(found).toMatchObject({ addsUp: true });
    // The tracker still lists the ticket: so it is its comments that are not shown.
    expect(found.notes).toMatchObject({ tickets_not_permitted: { count: 1 } });
  });
});
