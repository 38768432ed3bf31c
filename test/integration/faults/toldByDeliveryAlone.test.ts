import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createDeliveryBench, type DeliveryBench, type Event } from '../../support/deliveryBench.ts';
import { waitFor } from '../../support/waitFor.ts';

/**
 * What moves no `updated_on` and leaves no entry (facts 3.7) is told by its delivery alone: that one asks for the pull
 * request itself, whatever breaks off behind it.
 */
const REPOSITORY = 'acme/subject';
const WORLD = acmeWorld([{ slug: 'subject', pullRequests: 60, commits: 10, tickets: 0 }]);
/** Longer than a sync reaches back behind its watermark: its list shows nothing of before. */
const BETWEEN_MS = 20 * 60_000;

let bench: DeliveryBench;
let repositoryId: string;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
});
afterAll(() => bench?.close());
beforeEach(beginAnew);

async function beginAnew(): Promise<void> {
  await bench.forget();
  await bench.mutate('repository.reset', { repository: REPOSITORY });
  await bench.discover();
  repositoryId = await bench.importRepository(REPOSITORY);
  bench.simulator.clock.advance(BETWEEN_MS);
}

const change = (kind: string, more: Record<string, unknown>) =>
  bench.mutate(kind, { repository: REPOSITORY, ...more });

async function toldOf(...makes: (() => Promise<unknown>)[]): Promise<Event[]> {
  bench.simulator.clock.advance(BETWEEN_MS);
  const place = bench.mark();
  for (const make of makes) await make();
  return bench.since(place);
}

const voter = (taken: boolean, number: number, objects = false) =>
  change(
    `pull_request.${taken ? (objects ? 'withdraw_changes' : 'unapprove') : objects ? 'request_changes' : 'approve'}`,
    { number, user: 'member' },
  );

/** Pull requests that are open, the longest unchanged first, and have the stored vote of somebody who takes it back a while later. */
async function votedOn(count: number, objects = false): Promise<number[]> {
  const open = await bench.sql<{ number: number }[]>`
    select number from pull_requests where state = 'OPEN' order by updated_on limit ${count}`;
  const numbers = open.map(({ number }) => number);
  const place = bench.mark();
  for (let more = count - numbers.length; more > 0; more -= 1) numbers.push(await create());
  await deliver(bench.since(place));
  await bench.relay();
  const events = await toldOf(...numbers.map((number) => () => voter(false, number, objects)));
  await deliver(events);
  await bench.relay();
  bench.simulator.clock.advance(BETWEEN_MS);
  return numbers;
}

let topics = 0;
async function create(): Promise<number> {
  topics += 1;
  const source = `topic/${topics}`;
  const author = { name: 'Mia', email: 'mia@example.com' };
  await change('git', { change: { kind: 'push', branch: source, commits: [{ message: 'More\n', author }] } });
  const made = (await change('pull_request.create', { title: 'New', source })) as { number: number };
  return made.number;
}

/** One that is stored. */
async function opened(): Promise<number> {
  const place = bench.mark();
  const number = await create();
  await deliver(bench.since(place));
  await bench.relay();
  return number;
}

/** A while later, so that neither a list nor the first page of the feed shows again what was changed before. */
async function somethingElse(): Promise<void> {
  bench.simulator.clock.advance(BETWEEN_MS);
  const number = await opened();
  for (let left = 50; left > 0; left -= 1) await change('comment.add', { number, raw: 'Said' });
  bench.simulator.clock.advance(BETWEEN_MS);
  await bench.sync(repositoryId, ['pull_requests']);
}

async function deliver(events: readonly Event[]): Promise<void> {
  for (const event of events) await bench.deliver(event);
}

/** Requests that a step makes, by path and query. */
async function requestsOf(step: () => Promise<unknown>): Promise<string[]> {
  const before = bench.simulator.journal.since(0).length;
  await step();
  return bench.simulator.journal
    .since(0)
    .slice(before)
    .map(({ path }) => decodeURIComponent(path));
}

const OWN_PAGE = '[?&]q=id%3D\\d';
/**
 * What is asked for behind the list and before the feed: behind that come late votes, which the source's clock makes of any
 * here, as it runs ahead of the one that observes.
 */
const alone = (paths: readonly string[]) => {
  const feed = paths.findIndex((path) => path.includes('/pullrequests/activity'));
  return paths.slice(0, feed === -1 ? undefined : feed).filter((path) => /[?&]q=id=\d/.test(path));
};
const wanted = () => bench.sql`select number, part from wanted_pull_requests`;

test.each([
  ['an approval', false],
  ['a request for changes', true],
])('%s that was taken back: one request, however often it is told', async (_, objects) => {
  const [number] = await votedOn(1, objects);
  const events = await toldOf(() => voter(true, number!, objects));
  await deliver([...events, ...events]);
  expect(await bench.differencesOfState()).toContain(`participant ${String(number)}`);
  const paths = await requestsOf(() => bench.relay());
  expect(alone(paths)).toHaveLength(1);
  expect(await bench.differencesOfState()).toBe('');
  expect(await wanted()).toHaveLength(0);

  const versions = await bench.versions();
  await deliver(events);
  await bench.relay();
  expect(await bench.versions()).toEqual(versions);
});

test('taken back of 53 pull requests: two requests', async () => {
  const numbers = await votedOn(53);
  await somethingElse();
  await deliver(await toldOf(...numbers.map((number) => () => voter(true, number))));
  const paths = await requestsOf(() => bench.relay());
  expect(alone(paths)).toHaveLength(2);
  expect(await bench.differencesOfState()).not.toMatch(/participant|pull_request/);
  expect(await wanted()).toHaveLength(0);
});

test('what the list shows, and what another event tells, is asked for by nothing else', async () => {
  const number = await opened();
  const events = await toldOf(
    () => change('pull_request.edit', { number, title: 'Named better' }),
    () => change('pull_request.reviewers', { number, reviewers: ['member'] }),
    () => voter(false, number),
    () => change('comment.add', { number, raw: 'Said' }),
  );
  await deliver(events);
  const paths = await requestsOf(() => bench.relay());
  expect(alone(paths)).toEqual([]);
  expect(await wanted()).toHaveLength(0);
  expect(await bench.differencesOfState()).toBe('');
  expect(alone(await requestsOf(() => bench.poll()))).toEqual([]);
});

test('taken back while the repository is imported, behind the page that showed the vote', async () => {
  const [number] = await votedOn(1);
  await bench.forget();
  await bench.discover();
  let isTold = false;
  repositoryId = await bench.importRepository(REPOSITORY, async () => {
    bench.simulator.clock.advance(BETWEEN_MS);
    const [voted] = await bench.sql`
      select from pull_request_participants where pull_request_number = ${number!} and approved`;
    if (isTold || voted === undefined) return;
    isTold = true;
    await deliver(await toldOf(() => voter(true, number!)));
    await bench.relay();
  });
  expect(isTold).toBe(true);
  expect(await bench.differencesOfState()).toBe('');
  expect(await wanted()).toHaveLength(0);
});

test('a worker that dies with the hint, or with the answer: the next reading, whoever wants it, asks', async () => {
  const [number] = await votedOn(1);
  await deliver(await toldOf(() => voter(true, number!)));
  await bench.takeUpAndDie();
  expect(await wanted()).toEqual([{ number, part: 'record' }]);

  bench.simulator.faults.set({
    rules: [{ match: { path: OWN_PAGE }, fault: { kind: 'status', status: 500 } }],
  });
  await expect(bench.sync(repositoryId, ['pull_requests'])).rejects.toMatchObject({ type: 'Upstream' });
  bench.simulator.faults.clear();
  expect(await wanted()).toHaveLength(1);
  expect(await bench.differencesOfState()).not.toBe('');
  await bench.sql`update imports set state = 'completed_with_failures', finished_at = now() where finished_at is null`;
  await bench.sql`update import_repositories set state = 'failed' where state = 'running'`;

  await bench.sync(repositoryId, ['pull_requests']);
  expect(await bench.differencesOfState()).toBe('');
  expect(await wanted()).toHaveLength(0);
});

test('told once more while its answer is under way: it is asked for once more', async () => {
  const [number] = await votedOn(1);
  await deliver(await toldOf(() => voter(true, number!)));
  const place = bench.simulator.journal.since(0).at(-1)!.sequence;
  const fault = { kind: 'delay', ms: 3_000 } as const;
  bench.simulator.faults.set({ rules: [{ match: { path: OWN_PAGE }, fault }] });
  const reading = bench.relay();
  await waitFor({
    what: 'it is asked for',
    read: () => alone(bench.simulator.journal.since(place).map(({ path }) => decodeURIComponent(path))),
    until: ({ length }) => length === 1,
  });
  // Within the minute, so that the reading does not look again by itself.
  const again = bench.mark();
  await voter(false, number!);
  await voter(true, number!);
  await deliver(bench.since(again));
  await bench.takeUpAndDie();
  await reading;
  bench.simulator.faults.clear();
  expect(await wanted()).toEqual([{ number, part: 'record' }]);
  await bench.sync(repositoryId, ['pull_requests']);
  expect(await bench.differencesOfState()).toBe('');
  expect(await wanted()).toHaveLength(0);
});

test('while the integration is paused: behind the pause', async () => {
  const [number] = await votedOn(1);
  await bench.sql`update integrations set state = 'paused' where id = ${bench.integrationId}`;
  await deliver(await toldOf(() => voter(true, number!)));
  await bench.relay();
  await bench.sql`update integrations set state = 'active' where id = ${bench.integrationId}`;
  expect(await bench.differencesOfState()).not.toBe('');
  await bench.poll();
  expect(await bench.differencesOfState()).toBe('');
});

test('a reviewer who was removed, where that moves no date', async () => {
  const number = await opened();
  const events = await toldOf(
    () => change('pull_request.reviewers', { number, reviewers: ['member'] }),
    () => change('pull_request.reviewers', { number, reviewers: [] }),
  );
  const reviewers = async () =>
    (await bench.sql`select raw -> 'reviewers' as those from pull_requests where number = ${number}`)[0]?.[
      'those'
    ];
  // As it would be stored had the removal moved no date.
  await somethingElse();
  await bench.sql`
    update pull_requests set raw = jsonb_set(raw, '{reviewers}', '[{"type":"user"}]') where number = ${number}`;
  await bench.sync(repositoryId, ['pull_requests']);
  expect(await reviewers()).toHaveLength(1);
  await deliver(events.slice(1));
  expect(alone(await requestsOf(() => bench.relay()))).toHaveLength(1);
  expect(await reviewers()).toEqual([]);
});

test.each([
  ['resolve', true],
  ['reopen', false],
])('a comment, where %s moves no date: one request', async (last, resolved) => {
  const number = await opened();
  let comment = 0;
  const said = await toldOf(async () => {
    ({ id: comment } = (await change('comment.add', { number, raw: 'Said' })) as { id: number });
  });
  await deliver([...said, ...(await toldOf(() => change('comment.resolve', { number, comment })))]);
  await bench.relay();
  const events = await toldOf(
    () => change('comment.reopen', { number, comment }),
    () => change('comment.resolve', { number, comment }),
    ...(resolved ? [] : [() => change('comment.reopen', { number, comment })]),
  );
  await somethingElse();
  expect(await bench.differencesOfState()).toBe('');
  // As it would be stored had the last event moved no date.
  await bench.sql`update pull_request_comments set resolved = ${!resolved} where comment_id = ${comment}`;
  await bench.sync(repositoryId, ['pull_requests']);
  expect(await bench.differencesOfState(), last).not.toBe('');
  await deliver(events.slice(-1));
  const own = (await requestsOf(() => bench.relay())).filter((path) => path.includes(`/${number}/comments`));
  expect(own).toHaveLength(1);
  expect(await bench.differencesOfState()).toBe('');
  expect(await wanted()).toHaveLength(0);
});

test('a pull request that is not there is let go, without a request for it', async () => {
  const [number] = await votedOn(1);
  const [event] = await toldOf(() => voter(true, number!));
  const { delivery } = event!;
  const body = delivery.body.replaceAll(`"id":${number},`, '"id":9999,');
  await bench.deliver({ ...event!, delivery: { ...delivery, body } });
  await bench.takeUpAndDie();
  expect(await wanted()).toEqual([{ number: 9999, part: 'record' }]);
  expect(alone(await requestsOf(() => bench.sync(repositoryId, ['pull_requests'])))).toEqual([]);
  expect(await wanted()).toHaveLength(0);
});
