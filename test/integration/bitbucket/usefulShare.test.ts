import { afterEach, expect, it } from 'vitest';
import type { BitbucketRequest } from '../../../activities/bitbucket/client.ts';
import { NotFound, RateLimited, Unreachable, Upstream } from '../../../activities/bitbucket/errors.ts';
import { createMetrics } from '../../../platform/metrics.ts';
import { useEngineBench } from '../../support/engineBench.ts';

const metrics = createMetrics({ service: 'worker' });
const bench = useEngineBench({ engine: { deadlineMs: 1_500, metrics } });
afterEach(() => bench.simulator.faults.clear());

const REPOSITORY = '/repositories/acme-rockets/flight-control';
const LIST = `${REPOSITORY}/pullrequests?pagelen=2`;

/** What is served of a metric of the account's repository data; only one account asks here. */
async function served(name: string): Promise<number> {
  const lines = (await metrics.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`));
  const [line, ...others] = lines.filter((one) => one.includes('limit_group="repository_data"'));
  expect(others).toEqual([]);
  return Number(line?.split(' ').at(-1));
}

it('of the requests that the host saw is the share that brought something', async () => {
  const credential = await bench.connect();
  const since = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  const get = (request: Partial<BitbucketRequest>) =>
    bench.engine.client.get({ credential, signal: new AbortController().signal, ...request });
  const play = (fault: object) => bench.simulator.faults.set({ rules: [{ count: 1, fault }] });
  const seen = () =>
    bench.simulator.journal.since(since).filter(({ path }) => path.startsWith('/2.0/repositories/'));
  /** By the journal: answers with a page that none before had, and `changed` that had changed. */
  async function expectShare(changed: number): Promise<void> {
    const pages = seen().flatMap(({ status, page }) => (status === 200 && page !== null ? [page] : []));
    const useful = new Set(pages).size + changed;
    expect(useful).toBeGreaterThan(0);
    expect(await served('bitbucket_requests_useful_ratio')).toBeCloseTo(useful / seen().length, 9);
    await bench.rows.sql`update request_limits set stated_limit = 100`;
    // Of 100 three are the reserve.
    expect(await served('bitbucket_allowance_useful_ratio')).toBeCloseTo(useful / 97, 9);
  }

  const first = await get({ path: LIST });
  const { next } = first.json as { next: string };
  await get({ next });
  const { etag = '' } = await get({ path: REPOSITORY });
  await expectShare(0);
  expect(await served('bitbucket_requests_useful_ratio')).toBe(1);

  await get({ path: LIST });
  expect((await get({ path: REPOSITORY, etag })).status).toBe(304);
  await expect(get({ path: `${REPOSITORY}/pullrequests/999999` })).rejects.toThrow(NotFound);
  for (const [fault, error] of [
    [{ kind: 'status', status: 503 }, Upstream],
    [{ kind: 'rate_limit' }, RateLimited],
    [{ kind: 'reset' }, Unreachable],
  ] as const) {
    play(fault);
    await expect(get({ path: `${REPOSITORY}/commits` })).rejects.toThrow(error);
    await bench.rows.sql`update request_limits set blocked_until = null`;
  }
  expect(seen().map(({ status }) => status)).toEqual([200, 200, 200, 200, 304, 404, 503, 429, null]);
  await expectShare(0);

  const { id: number } = (first.json as { values: { id: number }[] }).values[0] ?? { id: 0 };
  await bench.simulator.mutate({
    kind: 'pull_request.edit',
    repository: 'acme-rockets/flight-control',
    number,
    title: 'Another title',
  });
  await get({ path: LIST });
  await expectShare(1);
});
