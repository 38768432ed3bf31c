import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import type { Shown } from './client.ts';
import { KNOWN_EVENT_SHAPES } from './support/knownEventShapes.ts';
import type { KnownShape } from './support/knownShapes.ts';
import { SHARED_IS_HERE } from './support/openapi.ts';
import { readRecording } from './support/recordings.ts';
import { addShape, compareShapes, type Shape } from './support/shape.ts';

const DRONE = 'drone-go-scm/testdata/webhooks';
const OPEN = /^(never)$/;
const AUTHOR = { name: 'Ada Admin', email: 'ada-admin@example.com' };

/** Which recorded bodies an event of ours is compared with. */
const EVENTS: [event: string, files: string[]][] = [
  [
    'repo:push',
    ['push', 'push_branch_create', 'push_branch_delete', 'push_tag_create', 'push_tag_delete'].map(
      (name) => `${DRONE}/${name}.json`,
    ),
  ],
  ['pullrequest:created', [`${DRONE}/pr_created.json`, `${DRONE}/pr_comment_created.json`]],
  ['pullrequest:fulfilled', [`${DRONE}/pr_fulfilled.json`, `${DRONE}/pr_comment_created.json`]],
  ['pullrequest:comment_created', [`${DRONE}/pr_comment_created.json`]],
  ['pullrequest:comment_deleted', [`${DRONE}/pr_comment_deleted.json`, `${DRONE}/pr_comment_created.json`]],
  ['repo:updated', ['zulip-zulip/repo_updated.json']],
];

describe.skipIf(!SHARED_IS_HERE)('events have the shape of the bodies recorded in ../shared', () => {
  let simulator: Simulator;
  const bodies = new Map<string, Shown[]>();
  const used = new Set<KnownShape>();

  beforeAll(async () => {
    simulator = await createSimulator({
      limit: 0,
      world: {
        workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
        repositories: [{ workspace: 'one', project: 'P', slug: 'app', pullRequests: 2, commits: 6 }],
      },
    });
    const repository = 'one/app';
    const mutate = async (kind: string, fields: object): Promise<Shown> =>
      simulator.mutate({ kind, repository, ...fields });
    // Nobody listens: what was told is in the journal.
    await mutate('hook.create', { url: 'http://127.0.0.1:9/' });
    const commits = [{ message: 'One\n', author: AUTHOR }];
    await mutate('git', { change: { kind: 'push', branch: 'topic', commits } });
    await mutate('git', { change: { kind: 'push', branch: 'topic', commits } });
    await mutate('git', { change: { kind: 'createTag', name: 'v1', target: 'topic' } });
    await mutate('git', { change: { kind: 'deleteTag', name: 'v1' } });
    const reviewers = ['member'];
    const { number } = await mutate('pull_request.create', { title: 'One', source: 'topic', reviewers });
    await mutate('pull_request.approve', { number, user: 'member' });
    const { id: comment } = await mutate('comment.add', { number, raw: 'x' });
    await mutate('comment.delete', { number, comment });
    await mutate('pull_request.merge', { number, close_source: true });
    await mutate('repository.rename', { slug: 'application' });
    for (const { delivery } of simulator.webhooks.journal.since(0)) {
      bodies.set(delivery.event, [...(bodies.get(delivery.event) ?? []), JSON.parse(delivery.body)]);
    }
  });
  afterAll(() => simulator.close());

  function isKnown(side: KnownShape['side'], place: string): boolean {
    const known = KNOWN_EVENT_SHAPES.filter((each) => each.side === side && each.at.test(place));
    for (const each of known) used.add(each);
    return known.length > 0;
  }

  test.each(EVENTS)('%s', (event, files) => {
    const recorded: Shape = new Map();
    const ours: Shape = new Map();
    for (const file of files) for (const value of readRecording(file, '')) addShape(recorded, value, OPEN);
    for (const value of bodies.get(event) ?? []) addShape(ours, value, OPEN);
    expect(ours.size).toBeGreaterThan(0);
    const differences = compareShapes(recorded, ours);
    for (const side of ['missing', 'invented', 'otherType'] as const) {
      const unknown = differences[side].filter((place) => !isKnown(side, `${event}: ${place}`));
      expect.soft(unknown, side).toEqual([]);
    }
  });

  test('every known difference is still one', () => {
    expect(KNOWN_EVENT_SHAPES.filter((known) => !used.has(known)).map(({ because }) => because)).toEqual([]);
  });
});
