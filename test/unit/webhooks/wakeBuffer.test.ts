import { describe, expect, test } from 'vitest';
import type { RelayedRepository, RelaySubject } from '../../../db/queries/webhookRelay.ts';
import { deliveryEffect } from '../../../worker/relay/deliveryEffect.ts';
import { verdictOf } from '../../../worker/relay/verdict.ts';
import { createWakeBuffer, type Wake } from '../../../worker/relay/wakeBuffer.ts';

const integration: RelaySubject = {
  integrationId: 'integration',
  state: 'active',
  services: ['repositories', 'pull_requests'],
};
const repository = (id: string): RelayedRepository => ({
  id,
  providerUuid: `{${id}}`,
  fullName: `acme/${id}`,
  integrationId: 'integration',
  imported: true,
});

const effectOf = (eventKey: string, id: string) =>
  deliveryEffect({ eventKey, repositoryUuid: `{${id}}`, pullRequestState: null, pullRequestNumber: null });

/** What the relay makes of a delivery of this event about this repository. */
function wakeOf(key: string, id: string, delivery: string): Wake {
  const verdict = verdictOf(effectOf(key, id), integration, repository(id));
  if (verdict.outcome !== 'woken') throw new Error(verdict.reason);
  const deliveries = [{ webhookId: 'hook', receivedOn: '2026-11-26', id: delivery, repeats: 0 }];
  return { organizationId: 'organization', integrationId: 'integration', ...verdict.wakes, deliveries };
}

/** Wakes in an order of their own: what is in them, whatever came first. */
const canonical = (wakes: readonly Wake[]) =>
  wakes
    .map(({ repository: of, services, deliveries }) => ({
      of: of?.id ?? 'discovery',
      services: services.toSorted(),
      deliveries: deliveries.map(({ id }) => id).toSorted(),
    }))
    .toSorted((one, other) => (one.of < other.of ? -1 : 1));

function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [index, item] of items.entries())
    for (const rest of orders(items.toSpliced(index, 1))) yield [item, ...rest];
}

describe('hints that wait for their wake', () => {
  test('all 720 orders of six events end in the same wakes, one a repository', () => {
    const events = [
      ['repo:push', 'api'],
      ['pullrequest:created', 'api'],
      ['pullrequest:fulfilled', 'api'],
      ['repo:updated', 'api'],
      ['pullrequest:comment_created', 'web'],
      ['repo:push', 'api'],
    ].map(([key, id], index) => wakeOf(key!, id!, `delivery ${index}`));
    const expected = [
      {
        of: 'api',
        services: ['pull_requests', 'repositories'],
        deliveries: [0, 1, 2, 5].map((n) => `delivery ${n}`),
      },
      { of: 'discovery', services: [], deliveries: ['delivery 3'] },
      { of: 'web', services: ['pull_requests'], deliveries: ['delivery 4'] },
    ];
    let seen = 0;
    for (const order of orders(events)) {
      const buffer = createWakeBuffer();
      for (const wake of order) buffer.add(wake);
      expect(buffer.size).toBe(6);
      expect(canonical(buffer.takeDue(0))).toEqual(expected);
      expect([buffer.size, buffer.takeDue(0)]).toEqual([0, []]);
      seen += 1;
    }
    expect(seen).toBe(720);
  });

  test('wait until their repository may be woken again, and go with one wake then', () => {
    const buffer = createWakeBuffer();
    buffer.add(wakeOf('repo:push', 'api', 'first'));
    const [first] = buffer.takeDue(0);
    buffer.holdBack(first!, 1_000);
    for (let n = 0; n < 100; n += 1) buffer.add(wakeOf('repo:push', 'api', `delivery ${n}`));
    buffer.add(wakeOf('repo:push', 'web', 'of another'));
    expect(canonical(buffer.takeDue(500)).map(({ of }) => of)).toEqual(['web']);
    expect(buffer.takeDue(999)).toEqual([]);
    const [second, ...more] = buffer.takeDue(1_000);
    expect([second?.deliveries.length, more]).toEqual([100, []]);
  });

  test('are given back whole, also those that wait', () => {
    const buffer = createWakeBuffer();
    const wake = wakeOf('repo:push', 'api', 'one');
    buffer.add(wake);
    buffer.holdBack(wake, 1_000);
    expect(buffer.clear()).toEqual([wake]);
    expect(buffer.size).toBe(0);
  });
});

describe('whether a delivery wakes anybody', () => {
  const push = effectOf('repo:push', 'api');
  const ignored = (of: Partial<RelaySubject>, repo: RelayedRepository | undefined = repository('api')) => {
    const verdict = verdictOf(push, { ...integration, ...of }, repo);
    return verdict.outcome === 'ignored' ? verdict : undefined;
  };

  test('only repositories that this integration imports', () => {
    expect(ignored({})).toBeUndefined();
    expect(verdictOf(push, integration, undefined)).toMatchObject({ reason: 'repository_unknown' });
    expect(ignored({}, { ...repository('api'), imported: false })?.reason).toBe('repository_not_imported');
    expect(ignored({}, { ...repository('api'), integrationId: 'other' })?.reason).toBe(
      'repository_not_imported',
    );
    expect(verdictOf(push, undefined, repository('api'))).toMatchObject({ reason: 'integration_gone' });
  });

  test('not while the integration fetches nothing; what was missed is remembered where it goes on later', () => {
    for (const state of ['paused', 'needs_credential'] as const)
      expect(ignored({ state })).toEqual({
        outcome: 'ignored',
        reason: `integration_${state}`,
        missed: { repositoryId: 'api', services: ['repositories'] },
      });
    expect(ignored({ state: 'disconnecting' })).toMatchObject({
      reason: 'integration_disconnecting',
      missed: null,
    });
    expect(ignored({ services: ['tickets'] })?.reason).toBe('service_off');
  });

  test('a repository that went is a discovery where it was known, and else nothing', () => {
    const deletion = effectOf('repo:deleted', 'api');
    expect(verdictOf(deletion, integration, undefined)).toMatchObject({ reason: 'repository_unknown' });
    const wakes = { repository: null, services: [], lookUp: null };
    expect(verdictOf(deletion, integration, repository('api'))).toEqual({ outcome: 'woken', wakes });
  });

  test('repositories that are new or have another name are looked up one by one; more than twenty, or one that went, is a discovery', () => {
    const one = (id: string): Wake => wakeOf('repo:created', id, `delivery ${id}`);
    const lookUps = (wakes: Wake[]) => {
      const buffer = createWakeBuffer();
      for (const wake of wakes) buffer.add(wake);
      return buffer.takeDue(0).map(({ lookUp }) => lookUp);
    };
    const many = Array.from({ length: 21 }, (_, n) => one(`new-${n}`));
    expect(lookUps([one('a'), one('b'), one('a')])).toEqual([['{a}', '{b}']]);
    expect(lookUps(many.slice(1))[0]).toHaveLength(20);
    expect(lookUps(many)).toEqual([null]);
    const renamed = wakeOf('repo:updated', 'c', 'delivery c');
    expect(lookUps([one('a'), renamed, renamed])).toEqual([['{a}', '{c}']]);
    const deleted = wakeOf('repo:deleted', 'd', 'delivery d');
    expect(lookUps([one('a'), deleted])).toEqual([null]);
    expect(lookUps([deleted, one('a')])).toEqual([null]);
  });
});
