import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { BadRequest, BitbucketError, RateLimited } from '../../../activities/bitbucket/errors.ts';
import type { Stream } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

let situation: Situation;
let input: ImportInput;
beforeEach(async () => {
  situation = await createSituation({ size: 'small' });
  input = await situation.startImport(await situation.repository('acme-rockets/telemetry'));
});
afterEach(() => situation.close());

const faults = (rules: object[]): void => situation.simulator.faults.set({ seed: 1, rules });

/** As Temporal would: tries a chunk again after an error that may pass. */
async function importThroughFaults(attempts = 200): Promise<number> {
  let failed = 0;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      if ((await situation.chunk(input)).done) return failed;
    } catch (error) {
      if (!(error instanceof BitbucketError) || error.retry.kind === 'never') throw error;
      failed += 1;
    }
  }
  throw new Error(`not done after ${String(attempts)} attempts`);
}

/** Of so many, all but each third: of three answers the last is a true one. */
const twoOfThree = (many: number): number[] =>
  Array.from({ length: many }, (_, index) => index + 1).filter((nth) => nth % 3 !== 0);

/** The first such list that is asked for has another page, which is refused whenever it is asked for. */
function refusingNext(list: RegExp): BitbucketClient {
  let first: string | undefined;
  return {
    get: async (request) => {
      if (request.next?.endsWith('refused') === true) {
        throw new BadRequest({ finding: { code: 'x', message: 'Invalid page', remedy: 'None.' } });
      }
      const answer = await situation.bitbucket.get(request);
      const path = request.path ?? '';
      if (!list.test(path) || path !== (first ??= path)) return answer;
      return {
        ...answer,
        json: { ...(answer.json as object), next: `${situation.simulator.apiUrl}/refused` },
      };
    },
  };
}

describe('answers that are wrong', () => {
  test.each([
    ['5xx', { kind: 'status', status: 503 }],
    ['cut off', { kind: 'truncate', share: 0.6 }],
    ['of another shape', { kind: 'wrong_shape' }],
    ['a web page', { kind: 'html', status: 200 }],
    ['reset connections', { kind: 'reset' }],
  ] as const)('one in eight is %s: everything is stored all the same', async (_, fault) => {
    faults([{ match: { path: '/repositories/' }, probability: 0.12, fault }]);
    await importThroughFaults();
    const [rule] = situation.simulator.faults.report().rules;
    expect(rule?.played).toBeGreaterThan(0);
    expect(await situation.differences()).toBe('');
  });

  test('where something was stored before it, one ends the chunk well: no attempt is used up, no wait grows', async () => {
    faults([
      { match: { path: '/pullrequests/activity' }, nth: 3, fault: { kind: 'status', status: 503 } },
      // The next one: what the rule before took does not count.
      { match: { path: '/pullrequests/activity' }, nth: 3, fault: { kind: 'html' } },
    ]);
    expect(await situation.chunk(input)).toMatchObject({ done: false, stream: 'pull_request_activity' });
    await expect(situation.chunk(input)).rejects.toMatchObject({ type: 'InvalidResponse' });
    expect(await importThroughFaults()).toBe(0);
    expect(await situation.differences()).toBe('');
  });

  test('false empty lists are never taken for the end', async () => {
    faults([
      { match: { path: '/pullrequests\\?' }, nth: [1, 3], fault: { kind: 'empty_list' } },
      { match: { path: '/pullrequests/activity' }, nth: [1, 4, 8], fault: { kind: 'empty_list' } },
      { match: { path: '/issues\\?' }, nth: [1, 2], fault: { kind: 'empty_list' } },
    ]);
    await importThroughFaults();
    situation.simulator.faults.clear();
    expect(await situation.differences()).toBe('');
  });

  test('nor are two in a row, of the pull requests and of the feed that speaks for them', async () => {
    // So small that no closing round looks again.
    input = await situation.startImport(await situation.repository('acme-rockets/launch-scripts'));
    faults([
      { match: { path: '/pullrequests\\?' }, nth: 1, fault: { kind: 'empty_list' } },
      { match: { path: '/pullrequests/activity' }, nth: 1, fault: { kind: 'empty_list' } },
    ]);
    await importThroughFaults();
    expect(situation.simulator.faults.report().rules.map(({ played }) => played)).toEqual([1, 1]);
    situation.simulator.faults.clear();
    expect(await situation.differences()).toBe('');
  });

  test('nor is any number in a row, where the feed shows pull requests: that is an error', async () => {
    faults([{ match: { path: '/pullrequests\\?' }, nth: [1, 2, 3], fault: { kind: 'empty_list' } }]);
    await expect(situation.chunk(input)).rejects.toMatchObject({
      type: 'InvalidResponse',
      finding: { message: expect.stringContaining('is empty, while another list shows') },
    });
    await importThroughFaults();
    const [state] = (await situation.streamStates(input)).filter(({ stream }) => stream === 'pull_requests');
    expect(state).toMatchObject({ state: 'healthy', stored: state?.['expected'] });
    expect(Number(state?.['stored'])).toBeGreaterThan(0);
    expect(await situation.differences()).toBe('');
  });

  test.each([
    ['pull requests', '/pullrequests(\\?|/activity)'],
    ['tickets', '/issues\\?'],
  ])(
    'nor is any number of %s in a row, where the first record is there: that is an error',
    async (_, path) => {
      faults([{ match: { path }, count: 60, fault: { kind: 'empty_list' } }]);
      expect(await importThroughFaults()).toBeGreaterThan(5);
      expect(situation.simulator.faults.report().rules[0]?.played).toBe(60);
      expect(await situation.differences()).toBe('');
    },
  );

  test('where one sends back to a page that was right, that page is asked for until it shows as much again, and no other', async () => {
    const list = '/pullrequests\\?';
    faults([
      { match: { path: list }, nth: 2, fault: { kind: 'empty_list' } },
      { match: { path: list }, nth: [2, 3], fault: { kind: 'thin_list', share: 0.3, size: 'kept' } },
    ]);
    const bitbucket: BitbucketClient = {
      get: ({ path, ...request }) =>
        situation.bitbucket.get({
          ...request,
          ...(path === undefined ? {} : { path: path.replace('pagelen=50', 'pagelen=10') }),
        }),
    };
    await situation.importAll(input, { bitbucket });
    const asked = situation.simulator.journal
      .since(0)
      .filter(({ path }) => path.includes('/pullrequests'))
      .map(({ path }) => /pullrequests\/|id%3E\d+/.exec(path)?.[0]);
    expect(asked.slice(0, 6)).toEqual(['id%3E0', 'id%3E10', 'id%3E0', 'id%3E0', 'id%3E0', 'id%3E10']);
    expect(situation.simulator.faults.report().rules.map(({ played }) => played)).toEqual([1, 2]);
    const [state] = (await situation.streamStates(input)).filter(({ stream }) => stream === 'pull_requests');
    expect(state).toMatchObject({ state: 'healthy', stored: state?.['expected'] });
    expect(await situation.differences()).toBe('');
  });

  test.each(['comments', 'changes'])('nor is one of the %s of any ticket', async (list) => {
    faults([
      { match: { path: `/issues/\\d+/${list}` }, nth: twoOfThree(600), fault: { kind: 'empty_list' } },
    ]);
    await importThroughFaults();
    situation.simulator.faults.clear();
    expect(await situation.differences()).toBe('');
  });

  test('nor one of the own activity of a pull request that the feed left out', async () => {
    faults([
      { match: { path: '/pullrequests/activity' }, nth: 1, fault: { kind: 'next', to: 'none' } },
      { match: { path: '/pullrequests/\\d+/activity' }, nth: twoOfThree(900), fault: { kind: 'empty_list' } },
    ]);
    await importThroughFaults();
    const [, emptied] = situation.simulator.faults.report().rules;
    expect(emptied?.played).toBeGreaterThan(5);
    situation.simulator.faults.clear();
    expect(await situation.differences()).toBe('');
  });

  test('a feed that refuses a stored next starts again and keeps its rows', async () => {
    faults([
      {
        match: { path: '/pullrequests/activity.*page=[34]' },
        nth: 1,
        fault: { kind: 'status', status: 400 },
      },
    ]);
    expect(await importThroughFaults()).toBe(0);
    expect(await situation.differences()).toBe('');
  });

  test.each([
    ['pull_request_comments', ['pull_requests', 'pull_request_comments'], /pullrequests\/\d+\/comments/],
    ['pull_request_activity', ['pull_requests', 'pull_request_activity'], /pullrequests\/\d+\/activity/],
    ['ticket_comments', ['tickets', 'ticket_comments'], /issues\/\d+\/comments/],
    ['refs', ['refs'], /refs\/branches/],
  ] as [Stream, Stream[], RegExp][])(
    'a list of %s whose next is refused for good fails, and who tries again begins it anew',
    async (stream, streams, own) => {
      faults([{ match: { path: '/pullrequests/activity' }, fault: { kind: 'status', status: 410 } }]);
      const of = { ...input, streams };
      const refusing = refusingNext(own);
      await expect(situation.importAll(of, { bitbucket: refusing })).rejects.toBeInstanceOf(BadRequest);
      await situation.importAll(of);
      expect(await situation.streamStates(of)).toContainEqual(
        expect.objectContaining({ stream, state: 'healthy' }),
      );
    },
  );

  test('where the feed is gone, each pull request is asked for its own activity', async () => {
    faults([{ match: { path: '/pullrequests/activity' }, fault: { kind: 'status', status: 410 } }]);
    await importThroughFaults();
    expect(await situation.differences()).toBe('');
  });

  test('a full import goes on in the middle of them, also after a chunk', async () => {
    faults([{ match: { path: '/pullrequests/activity' }, fault: { kind: 'status', status: 410 } }]);
    const full = await situation.startImport(input.repositoryId, 'full');
    const chunks = await situation.importAll(full, { limits: { requests: 20 } });
    expect(chunks.length).toBeLessThan(20);
    expect(await situation.differences()).toBe('');
  });
});

describe('limits', () => {
  test('a limit ends the chunk with the time it ends; the stream is rate limited, then goes on', async () => {
    faults([
      {
        match: { path: '/pullrequests/activity' },
        nth: 3,
        fault: { kind: 'rate_limit', retry_after: 'seconds', seconds: 30 },
      },
    ]);
    const result = await situation.chunk(input);
    expect(result.done).toBe(false);
    expect(Date.parse(result.limited?.until ?? '')).toBeGreaterThan(Date.now() + 20_000);
    const states = await situation.rows(
      sql`select state from streams where stream = 'pull_request_activity'`,
    );
    expect(states[0]?.['state']).toBe('rate_limited');
    await situation.database.withoutTenant((tx) =>
      tx.execute(sql`update request_limits set blocked_until = clock_timestamp()`),
    );
    await importThroughFaults();
    expect(await situation.differences()).toBe('');
  });
});

describe('an allowance of one request at a time', () => {
  /** As many attempts as there are requests, and one more for each page that was asked for ahead. */
  const MANY = 400;

  test.each(['telemetry', 'blank-slate'])(
    '%s: an empty list is asked again by the next one',
    async (slug) => {
      const own =
        slug === 'telemetry'
          ? input
          : await situation.startImport(await situation.repository(`acme-rockets/${slug}`));
      const made = () => situation.simulator.journal.since(0).length;
      const before = made();
      for (let attempts = 1; ; attempts += 1) {
        let asked = 0;
        const bitbucket: BitbucketClient = {
          get: async (request) => {
            asked += 1;
            if (asked === 1) return situation.bitbucket.get(request);
            const finding = { code: 'x', message: 'Used up', remedy: 'None.' };
            throw new RateLimited({ finding, until: new Date().toISOString(), why: 'Used up' });
          },
        };
        if ((await situation.chunk(own, { bitbucket })).done) break;
        expect(attempts).toBeLessThan(MANY);
      }
      // What the allowance refused is no request.
      const counted = (await situation.streamStates(own)).map(({ requests }) => Number(requests));
      expect(counted.reduce((sum, requests) => sum + requests, 0)).toBe(made() - before);
      expect(await situation.differences()).toBe('');
    },
  );
});

describe('a repository that is gone', () => {
  test('is a typed error with a remedy, and its stream has failed', async () => {
    await situation.simulator.mutate({ kind: 'repository.delete', repository: 'acme-rockets/telemetry' });
    const error = await situation.chunk(input).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'RepositoryGone', finding: { remedy: expect.any(String) } });
    const states = await situation.rows(sql`
      select state, failing_since is not null as dated, last_error ->> 'code' as code from streams`);
    expect(states.map((row) => ({ ...row }))).toEqual([
      { state: 'failed', dated: true, code: 'repository_gone' },
    ]);
    const [row] = await situation.rows(sql`select provider_uuid from repositories`);
    await situation.simulator.mutate({ kind: 'repository.restore', repository: row?.['provider_uuid'] });
    await importThroughFaults();
    expect(await situation.differences()).toBe('');
  });
});
