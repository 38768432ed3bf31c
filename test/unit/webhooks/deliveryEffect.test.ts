import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { deliveryFacts } from '../../../api/webhooks/deliveryFacts.ts';
import { deliveryEffect } from '../../../worker/relay/deliveryEffect.ts';

const FIXTURES = new URL('../../../../shared/bitbucket/fixtures/', import.meta.url);
const UUID = '{673a6070-3421-46c9-9d48-90745f7bfe8e}';
const bytes = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
/** As receiver and relay work it out together. */
const effectOfBody = (eventKey: string, body: Uint8Array) =>
  deliveryEffect({ eventKey, ...deliveryFacts(body) });
const effectOf = (key: string, body: unknown = { repository: { uuid: UUID } }) =>
  effectOfBody(key, bytes(body));
const sync = (...services: string[]) => ({ kind: 'sync', repositoryUuid: UUID, services });

describe('what a delivery is about', () => {
  test('a push is about the repository; all of a pull request about pull requests, its merge about both', () => {
    expect(effectOf('repo:push')).toEqual(sync('repositories'));
    for (const event of ['created', 'updated', 'approved', 'comment_resolved', 'push', 'of_tomorrow'])
      expect(effectOf(`pullrequest:${event}`), event).toEqual(sync('pull_requests'));
    expect(effectOf('pullrequest:fulfilled')).toEqual(sync('pull_requests', 'repositories'));
    const merged = { repository: { uuid: UUID }, pullrequest: { state: 'MERGED' } };
    expect(effectOf('pullrequest:comment_created', merged)).toEqual(sync('pull_requests', 'repositories'));
    expect(effectOf('issue:updated')).toEqual(sync('tickets'));
  });

  test('repositories that come, go, or get another name or place are about the list of them, whatever cannot be read', () => {
    for (const event of ['created', 'updated', 'deleted', 'transfer', 'imported'])
      expect(effectOf(`repo:${event}`, 'no JSON'), event).toEqual({ kind: 'discovery' });
    for (const key of ['repo:transfer', 'repo:imported', 'project:updated'])
      expect(effectOf(key), key).toEqual({ kind: 'discovery' });
  });

  test('one that was deleted is about that one, where the body says which', () => {
    expect(effectOf('repo:deleted')).toEqual({ kind: 'deletion', repositoryUuid: UUID });
  });

  test('one that is new, or has another name, is about that one, where the body says which', () => {
    for (const key of ['repo:created', 'repo:updated']) {
      expect(effectOf(key), key).toEqual({ kind: 'repository', repositoryUuid: UUID });
      expect(effectOf(key, { repository: { uuid: 5 } }), key).toEqual({ kind: 'discovery' });
    }
  });

  test('what no list need show is about that one pull request, where the body says which', () => {
    const about = (key: string, id: unknown) =>
      effectOf(`pullrequest:${key}`, { repository: { uuid: UUID }, pullrequest: { id, state: 'OPEN' } });
    for (const key of ['unapproved', 'changes_request_removed', 'updated'])
      expect(about(key, 7), key).toEqual({ ...sync('pull_requests'), wanted: { number: 7, part: 'record' } });
    for (const key of ['comment_resolved', 'comment_reopened'])
      expect(about(key, 7), key).toEqual({
        ...sync('pull_requests'),
        wanted: { number: 7, part: 'comments' },
      });
    for (const key of ['approved', 'created', 'push', 'comment_created', 'of_tomorrow'])
      expect(about(key, 7), key).toEqual(sync('pull_requests'));
    for (const id of ['7', 0, -1, 1.5, 2 ** 31, null, undefined])
      expect(about('unapproved', id), String(id)).toEqual(sync('pull_requests'));
  });

  test('what is not imported, and what is not known, is about nothing', () => {
    for (const key of ['repo:fork', 'repo:commit_status_created', 'pipeline:span_created'])
      expect(effectOf(key), key).toEqual({ kind: 'none', reason: 'event_not_kept' });
    for (const key of ['repo:of_tomorrow', 'pullrequest', 'diagnostics:ping', ''])
      expect(effectOf(key), key).toEqual({ kind: 'none', reason: 'event_unknown' });
  });

  test.each([
    ['', 'nothing'],
    ['{"repository":', 'half of it'],
    ['[]', 'a list'],
    ['null', 'null'],
    [{ repository: null }, 'no repository'],
    [{ repository: { uuid: 5 } }, 'a number'],
    [{ repository: { uuid: '{api}\u0000' } }, 'a uuid that is none'],
    ['{"repository":{"__proto__":{"uuid":"{x}"}}}', 'a uuid by inheritance'],
    ['['.repeat(100_000), 'depth'],
  ])('a body that cannot be understood wakes nothing (%#: %s)', (body: unknown, _what) => {
    expect(effectOf('repo:push', body)).toEqual({ kind: 'none', reason: 'body_unreadable' });
  });

  test('a body that is no UTF-8 is read as far as it goes', () => {
    const body = Buffer.concat([
      bytes(`{"repository":{"uuid":"${UUID}"},"actor":"`),
      Buffer.of(0xff, 0xfe),
      bytes('"}'),
    ]);
    expect(effectOfBody('repo:push', body)).toEqual(sync('repositories'));
  });
});

/** Recorded bodies by file, with the key they came under and what they are about. */
const RECORDED: Record<string, [string, ...string[]]> = {
  'drone-go-scm/testdata/webhooks/push.json': ['repo:push', 'repositories'],
  'drone-go-scm/testdata/webhooks/push_branch_create.json': ['repo:push', 'repositories'],
  'drone-go-scm/testdata/webhooks/push_branch_delete.json': ['repo:push', 'repositories'],
  'drone-go-scm/testdata/webhooks/push_tag_create.json': ['repo:push', 'repositories'],
  'drone-go-scm/testdata/webhooks/push_tag_delete.json': ['repo:push', 'repositories'],
  'drone-go-scm/testdata/webhooks/pr_created.json': ['pullrequest:created', 'pull_requests'],
  'drone-go-scm/testdata/webhooks/pr_updated.json': ['pullrequest:updated', 'pull_requests'],
  'drone-go-scm/testdata/webhooks/pr_declined.json': ['pullrequest:rejected', 'pull_requests'],
  'drone-go-scm/testdata/webhooks/pr_fulfilled.json': [
    'pullrequest:fulfilled',
    'pull_requests',
    'repositories',
  ],
  'drone-go-scm/testdata/webhooks/pr_comment_created.json': ['pullrequest:comment_created', 'pull_requests'],
  'drone-go-scm/testdata/webhooks/pr_comment_deleted.json': ['pullrequest:comment_deleted', 'pull_requests'],
  'go-playground-webhooks/bitbucket/repo-push.json': ['repo:push', 'repositories'],
  'go-playground-webhooks/bitbucket/pull-request-approved.json': ['pullrequest:approved', 'pull_requests'],
  'go-playground-webhooks/bitbucket/pull-request-approval-removed.json': [
    'pullrequest:unapproved',
    'pull_requests',
  ],
  'go-playground-webhooks/bitbucket/pull-request-merged.json': [
    'pullrequest:fulfilled',
    'pull_requests',
    'repositories',
  ],
  'go-playground-webhooks/bitbucket/issue-created.json': ['issue:created', 'tickets'],
  'go-playground-webhooks/bitbucket/issue-comment-created.json': ['issue:comment_created', 'tickets'],
  'go-playground-webhooks/bitbucket/repo-updated.json': ['repo:updated'],
  'zulip-zulip/repo_updated.json': ['repo:updated'],
};

describe.skipIf(!existsSync(FIXTURES))('the recorded bodies (../shared/bitbucket/fixtures)', () => {
  test.each(Object.entries(RECORDED))('%s', (file, [key, ...services]) => {
    const body = readFileSync(new URL(file, FIXTURES));
    const { repository, pullrequest } = JSON.parse(body.toString()) as {
      repository: { uuid: string };
      pullrequest?: { id: number };
    };
    const isWanted = key === 'pullrequest:unapproved' || key === 'pullrequest:updated';
    const wanted = isWanted ? { number: pullrequest?.id, part: 'record' } : undefined;
    expect(effectOfBody(key, body)).toEqual(
      services.length === 0
        ? { kind: 'repository', repositoryUuid: repository.uuid }
        : { kind: 'sync', repositoryUuid: repository.uuid, services, wanted },
    );
  });
});
