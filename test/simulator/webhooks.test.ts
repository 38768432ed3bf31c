import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { signatureOf } from '../../simulator/webhooks/sendDelivery.ts';
import type { Shown } from './client.ts';
import { createReceiver, type Receiver } from './support/receiver.ts';

const WORLD: NonNullable<SimulatorOptions['world']> = {
  workspaces: [
    { slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] },
    { slug: 'two', name: 'Two', projects: [{ key: 'Q', name: 'Q' }] },
  ],
  repositories: [
    { workspace: 'one', project: 'P', slug: 'app', pullRequests: 4, commits: 12, tags: 1 },
    { workspace: 'one', project: 'P', slug: 'lib', pullRequests: 0, commits: 3 },
  ],
};
const AUTHOR = { name: 'Ada Admin', email: 'ada-admin@example.com' };
const SECRET = "It's a Secret to Everybody";

let simulator: Simulator;
let receiver: Receiver;
beforeEach(async () => {
  receiver = await createReceiver();
  simulator = await createSimulator({
    world: WORLD,
    limit: 0,
    webhooks: { timeoutMs: 300, resendAfterMs: 10 },
  });
});
afterEach(async () => {
  await simulator.close();
  await receiver.close();
});

const mutate = async (kind: string, fields: Record<string, unknown>): Promise<Shown> =>
  simulator.mutate({ kind, ...fields });
const repository = 'one/app';
const hook = async (fields: Record<string, unknown> = { repository }): Promise<string> =>
  (await mutate('hook.create', { url: receiver.url, ...fields })).hook;
const quiet = async (): Promise<void> => {
  expect(await simulator.webhooks.deliveries.quiet(10_000)).toBe(0);
};
const journal = () => simulator.webhooks.journal.since(0).map(({ entry }) => entry);

/** An open pull request from a new branch. */
async function openOne(): Promise<number> {
  await mutate('git', { repository, change: { kind: 'createBranch', name: 'topic', target: 'main' } });
  const commits = [{ message: 'Topic\n', author: AUTHOR }];
  await mutate('git', { repository, change: { kind: 'push', branch: 'topic', commits } });
  return (await mutate('pull_request.create', { repository, title: 'Topic', source: 'topic' })).number;
}

describe('what is sent', () => {
  test('headers, signature over the raw bytes, actor and repository', async () => {
    const uuid = await hook({ repository, secret: SECRET });
    const before = Date.now();
    await mutate('comment.add', { repository, number: 1, raw: 'größer 🐉', user: 'member' });
    await quiet();
    const [{ headers, raw, json } = { headers: {}, raw: '', json: null }] = receiver.received;
    expect(headers).toMatchObject({
      'x-event-key': 'pullrequest:comment_created',
      'x-hook-uuid': uuid.slice(1, -1),
      'x-request-uuid': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'x-attempt-number': '1',
      'user-agent': 'Bitbucket-Webhooks/2.0',
      'content-type': 'application/json',
    });
    expect(Math.abs(Date.parse(String(headers['x-event-time'])) - before)).toBeLessThan(5_000);
    const expected = createHmac('sha256', SECRET).update(Buffer.from(raw, 'utf8')).digest('hex');
    expect(headers['x-hub-signature']).toBe(`sha256=${expected}`);
    expect(json.actor.nickname).toBe('Mia');
    expect(Object.keys(json.repository).toSorted()).toEqual(
      'full_name is_private links name owner parent project scm type uuid website workspace'.split(' '),
    );
    expect(json.comment).toMatchObject({ content: { raw: 'größer 🐉' }, pullrequest: { id: 1 } });
    expect(json.pullrequest).toMatchObject({
      id: 1,
      reviewers: expect.any(Array),
      participants: expect.any(Array),
      rendered: expect.any(Object),
    });
  });

  test('the published vector of a signature; without a secret no signature', async () => {
    expect(signatureOf(SECRET, 'Hello World!')).toBe(
      'sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9',
    );
    await hook();
    await mutate('comment.add', { repository, number: 1, raw: 'x' });
    await quiet();
    expect(receiver.received[0]?.headers).not.toHaveProperty('x-hub-signature');
  });

  test('each change of a pull request, its verdicts and comments has its event', async () => {
    const number = await openOne();
    await hook();
    const target = { repository, number };
    const { id: comment } = await mutate('comment.add', { ...target, raw: 'one' });
    for (const [kind, fields] of [
      ['comment.edit', { comment, raw: 'two' }],
      ['comment.resolve', { comment, user: 'member' }],
      ['comment.reopen', { comment }],
      ['comment.delete', { comment }],
      ['pull_request.approve', { user: 'member' }],
      ['pull_request.unapprove', { user: 'member' }],
      ['pull_request.request_changes', { user: 'member' }],
      ['pull_request.withdraw_changes', { user: 'member' }],
      ['pull_request.reviewers', { reviewers: ['member', 'service'] }],
      ['pull_request.edit', { title: 'Another title' }],
      ['pull_request.merge', { close_source: true }],
    ] as const) {
      await mutate(kind, { ...target, ...fields });
    }
    await mutate('pull_request.create', { repository, title: 'No', source: 'main' });
    await mutate('pull_request.decline', { repository, number: number + 1, reason: 'Never' });
    await quiet();
    expect(receiver.events()).toEqual([
      ...['created', 'updated', 'resolved', 'reopened', 'deleted'].map((end) => `pullrequest:comment_${end}`),
      'pullrequest:approved',
      'pullrequest:unapproved',
      'pullrequest:changes_request_created',
      'pullrequest:changes_request_removed',
      'pullrequest:updated',
      'pullrequest:updated',
      'repo:push',
      'pullrequest:fulfilled',
      'pullrequest:created',
      'pullrequest:rejected',
    ]);
    const at = (event: string): Shown => receiver.received[receiver.events().indexOf(event)]?.json;
    expect(at('pullrequest:comment_resolved').comment.resolution.user.nickname).toBe('Mia');
    expect(at('pullrequest:comment_reopened').comment.resolution).toBeUndefined();
    expect(at('pullrequest:approved').approval).toMatchObject({
      date: expect.any(String),
      user: { nickname: 'Mia' },
    });
    const { participants } = at('pullrequest:approved').pullrequest;
    expect(participants.find((one: Shown) => one.user.nickname === 'Mia').approved).toBe(true);
    expect(at('pullrequest:changes_request_created').changes_request.user.nickname).toBe('Mia');
    expect(at('pullrequest:fulfilled').pullrequest).toMatchObject({
      state: 'MERGED',
      merge_commit: { hash: expect.stringMatching(/^[0-9a-f]{12}$/) },
      closed_by: { nickname: 'Ada' },
    });
    expect(at('pullrequest:rejected').pullrequest).toMatchObject({ state: 'DECLINED', reason: 'Never' });
  });

  test('a push tells old and new, at most five commits, and when there are more', async () => {
    await hook({ repository, events: ['repo:push', 'pullrequest:push', 'pullrequest:updated'] });
    const push = (branch: string, count: number, onto?: string) => {
      // Another text, or it would be the commit that was there before.
      const word = onto === undefined ? 'C' : 'F';
      const commits = Array.from({ length: count }, (_, at) => ({
        message: `${word}${at}\n`,
        author: AUTHOR,
      }));
      const change = { kind: 'push', branch, commits, ...(onto === undefined ? {} : { onto }) };
      return mutate('git', { repository, change });
    };
    const first = await push('main', 7);
    await push('main', 1, first.refs[0].before);
    const change = { kind: 'createTag', name: 'v9', target: 'main', message: 'Nine\n' };
    await mutate('git', { repository, change });
    await mutate('git', { repository, change: { kind: 'deleteTag', name: 'v9' } });
    await openOne();
    await push('topic', 1);
    await mutate('git', { repository, change: { kind: 'deleteBranch', name: 'topic' } });
    await quiet();
    const pushes = receiver.received.filter((_, at) => receiver.events()[at] === 'repo:push');
    const [seven, forced, tagged, untagged, created, , , deleted] = pushes.map(
      ({ json }) => json.push.changes[0],
    );
    expect(seven).toMatchObject({ truncated: true, forced: false, created: false, closed: false });
    expect(seven.commits.map(({ message }: Shown) => message)).toEqual(
      [6, 5, 4, 3, 2].map((at) => `C${at}\n`),
    );
    expect(seven.commits[0]).toMatchObject({ committer: {}, type: 'commit' });
    expect([seven.old.target.hash, seven.new.target.hash]).toEqual([
      first.refs[0].before,
      first.refs[0].after,
    ]);
    const compared = new URL(seven.links.commits.href).searchParams;
    expect([compared.get('include'), compared.get('exclude')]).toEqual([
      first.refs[0].after,
      first.refs[0].before,
    ]);
    expect(forced).toMatchObject({ forced: true, truncated: false });
    expect(forced.commits).toHaveLength(1);
    expect(tagged).toMatchObject({ old: null, created: true, new: { type: 'tag', message: 'Nine\n' } });
    expect(tagged).not.toHaveProperty('commits');
    expect(untagged).toMatchObject({ new: null, closed: true });
    expect(created).toMatchObject({ old: null, created: true, new: { type: 'branch', name: 'topic' } });
    expect(deleted).toMatchObject({ new: null, closed: true, old: { name: 'topic' } });
    expect(deleted).not.toHaveProperty('commits');
    expect(deleted).not.toHaveProperty('links');
    expect(receiver.events().filter((event) => event !== 'repo:push')).toEqual([
      'pullrequest:push',
      'pullrequest:updated',
    ]);
  });

  test('what happens to repositories: workspace hooks hear of creation, deletion and transfer', async () => {
    const uuid = await hook({ workspace: 'one' });
    await mutate('repository.rename', { repository: 'one/lib', slug: 'library' });
    await mutate('repository.edit', { repository: 'one/library', description: 'Books', is_private: false });
    const { repository: made } = await mutate('repository.create', {
      workspace: 'one',
      slug: 'lib',
      commits: 2,
    });
    await mutate('repository.transfer', { repository: 'one/library', workspace: 'two' });
    await mutate('repository.delete', { repository: 'one/lib' });
    await quiet();
    expect(receiver.events()).toEqual([
      'repo:updated',
      'repo:updated',
      'repo:created',
      'repo:transfer',
      'repo:deleted',
    ]);
    const [renamed, edited, created, moved, deleted] = receiver.received.map(({ json }) => json);
    expect(renamed.changes).toMatchObject({
      name: { old: 'lib', new: 'library' },
      slug: { old: 'lib', new: 'library' },
      full_name: { old: 'one/lib', new: 'one/library' },
    });
    expect(edited.changes).toMatchObject({ description: { new: 'Books' } });
    expect(edited.repository.is_private).toBe(false);
    expect(created.repository).toMatchObject({ uuid: made, full_name: 'one/lib' });
    expect(moved).toMatchObject({
      repository: { full_name: 'two/library' },
      previous_workspace: { slug: 'one' },
    });
    expect(Object.keys(deleted)).toEqual(['actor', 'repository']);
    await mutate('hook.edit', { hook: uuid, active: false });
    await mutate('comment.add', { repository, number: 1, raw: 'x' });
    expect(journal()).toHaveLength(5);
  });

  test('only what a hook wants, of its own repository', async () => {
    await hook({ repository: 'one/lib' });
    await hook({ repository, events: ['pullrequest:approved'] });
    await mutate('comment.add', { repository, number: 1, raw: 'x' });
    await mutate('pull_request.approve', { repository, number: 1 });
    await quiet();
    expect(receiver.events()).toEqual(['pullrequest:approved']);
  });
});

describe('how it is sent', () => {
  const comment = (raw = 'x') => mutate('comment.add', { repository, number: 1, raw });

  test('a 5xx twice more with the same id, nothing else ever again', async () => {
    await hook();
    receiver.answers.push(500, 503, 599);
    await comment();
    await quiet();
    const headers = receiver.received.map((one) => one.headers);
    expect(headers.map((one) => one['x-attempt-number'])).toEqual(['1', '2', '3']);
    expect(new Set(headers.map((one) => one['x-request-uuid'])).size).toBe(1);
    for (const answer of [404, 'reset', 'hang', 302] as const) {
      receiver.answers.push(answer);
      await comment();
    }
    await quiet();
    expect(receiver.received).toHaveLength(7);
    expect(journal().map(({ state }) => state)).toEqual([
      'refused',
      'refused',
      'unanswered',
      'unanswered',
      'refused',
    ]);
    expect(journal()[3]?.attempts).toMatchObject([{ status: null, error: 'timeout' }]);
  });

  test('a body over 256 KB silently not, and never at the cost of the change', async () => {
    await hook();
    await comment('y'.repeat(150_000));
    receiver.answers.push('hang');
    const before = performance.now();
    await comment();
    expect(performance.now() - before).toBeLessThan(250);
    await quiet();
    expect(journal().map(({ state }) => state)).toEqual(['too_large', 'unanswered']);
    expect(receiver.received).toHaveLength(1);
  });

  test('in order for each hook, also while the first is sent again', async () => {
    await hook();
    receiver.answers.push(500);
    for (const raw of ['1', '2', '3']) await comment(raw);
    await quiet();
    expect(receiver.received.map(({ json }) => json.comment.content.raw)).toEqual(['1', '1', '2', '3']);
  });

  test('the end of the simulator ends deliveries', async () => {
    await hook();
    receiver.answers.push('hang');
    await comment();
    await comment();
    const entries = journal();
    await simulator.close();
    expect(entries.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    simulator = await createSimulator({ world: WORLD });
  });
});
