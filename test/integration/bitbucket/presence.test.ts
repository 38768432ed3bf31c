import { describe, expect, it } from 'vitest';
import { SLUGS, usePresenceBench } from '../../support/presenceBench.ts';

/** Repositories that vanish, are renamed, moved and hidden, as one discovery after the other sees them. */
const bench = usePresenceBench();
const { connect, discover, passHours, presences, asked, eventsOf, settle, removeAtBitbucket, restore, undo } =
  bench;

describe('what vanished', () => {
  it('is gone after two full lists an hour apart and a look-up, and back when it is seen again', async () => {
    const integration = await connect();
    await discover(integration);
    expect(await eventsOf(integration)).toEqual([]);
    await removeAtBitbucket('r02');
    const [r01 = ''] = await removeAtBitbucket('r01');
    // The list of workspaces, and of each its projects and its repositories.
    expect(await discover(integration)).toBe(5);
    expect(await presences(integration)).toEqual({ present: 23, missing: 2 });
    // The same at once is not a second witness.
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 23, missing: 2 });
    await passHours(integration);
    expect(await discover(integration)).toBe(7);
    expect(await presences(integration)).toEqual({ present: 23, gone: 2 });
    expect(await eventsOf(integration)).toEqual([
      { type: 'repository_gone', data: { full_name: 'acme/r01' } },
      { type: 'repository_gone', data: { full_name: 'acme/r02' } },
    ]);
    // What is known to be gone is asked for no more.
    expect(await discover(integration)).toBe(5);
    await restore(r01);
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 24, gone: 1 });
    expect((await eventsOf(integration)).at(-1)).toEqual({
      type: 'repository_back',
      data: { full_name: 'acme/r01', was: 'gone' },
    });
    const { organizationId } = integration;
    expect((await bench.sql`select from repositories where organization_id = ${organizationId}`).length).toBe(
      25,
    );
  });

  it.each([
    ['an empty list', { kind: 'empty_list' }, true],
    ['404 for all', { kind: 'status', status: 404 }, false],
    ['403', { kind: 'status', status: 403 }, false],
    ['a list that lacks some but not in its size', { kind: 'thin_list', share: 0.34, size: 'kept' }, false],
    ['a list that lacks a third', { kind: 'thin_list', share: 0.34, size: 'lowered' }, true],
  ])('%s marks nothing, however often', async (_, fault, counts) => {
    const integration = await connect();
    await discover(integration);
    bench.simulator.faults.set({ rules: [{ match: { path: '/repositories/acme\\?' }, fault }] });
    await discover(integration);
    // Whether what it lacks is noted at all.
    expect('missing' in (await presences(integration))).toBe(counts);
    for (const hours of [1, 6]) {
      await passHours(integration, hours);
      await discover(integration);
    }
    expect(Object.keys(await presences(integration)).filter((word) => word !== 'missing')).toEqual([
      'present',
    ]);
    bench.simulator.faults.clear();
    await discover(integration);
    expect([await presences(integration), await asked(integration)]).toEqual([{ present: 25 }, 0]);
  });

  it('of a repository that another integration saw move to where this one sees nothing, a look-up tells', async () => {
    const integration = await connect();
    const { organizationId } = integration;
    await discover(integration);
    await removeAtBitbucket('r03');
    await bench.sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
      values (gen_random_uuid(), ${organizationId}, '{elsewhere}', 'elsewhere', 'Elsewhere', now())`;
    await bench.sql`update repositories set full_name = 'elsewhere/r03',
        workspace_id = (select id from workspaces where slug = 'elsewhere' and organization_id = ${organizationId})
      where full_name = 'acme/r03' and organization_id = ${organizationId}`;
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 24, missing: 1 });
    await passHours(integration);
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 24, gone: 1 });
    expect(await eventsOf(integration)).toEqual([
      { type: 'repository_gone', data: { full_name: 'elsewhere/r03' } },
    ]);
  });

  it('a list that lacks the same twice is found out by a look-up', async () => {
    const integration = await connect();
    await discover(integration);
    const { login, secret } = bench.simulator.credential('api_token.admin');
    const authorization = `Basic ${Buffer.from(`${login ?? ''}:${secret}`).toString('base64')}`;
    const answer = await fetch(`${bench.simulator.apiUrl}/repositories/acme?pagelen=100`, {
      headers: { authorization },
    });
    const list = (await answer.json()) as { values: unknown[]; size: number };
    const body = JSON.stringify({ ...list, values: list.values.slice(1), size: list.size - 1 });
    const fault = { kind: 'status', status: 200, content_type: 'application/json', body };
    bench.simulator.faults.set({ rules: [{ match: { path: '/repositories/acme\\?' }, fault }] });
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 24, missing: 1 });
    await passHours(integration);
    expect(await discover(integration)).toBe(6);
    expect([await presences(integration), await eventsOf(integration)]).toEqual([{ present: 25 }, []]);
  });

  it('a list that broke off says nothing of what it did not come to', async () => {
    const integration = await connect();
    await discover(integration);
    await removeAtBitbucket('r05');
    bench.simulator.faults.set({
      rules: [{ match: { path: '/repositories/acme\\?' }, fault: { kind: 'truncate' } }],
    });
    await discover(integration);
    await passHours(integration);
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 25 });
  });

  it('more than a tenth at once: nothing is marked, and a person is asked, who says that they are gone', async () => {
    const integration = await connect();
    await discover(integration);
    const six = SLUGS.slice(0, 6);
    await removeAtBitbucket(...six);
    await discover(integration);
    expect(await asked(integration)).toBe(0);
    await passHours(integration);
    for (const _ of ['once', 'again']) {
      expect(await discover(integration)).toBe(5);
      expect([await presences(integration), await asked(integration)]).toEqual([
        { present: 19, missing: 6 },
        6,
      ]);
    }
    // While the question is open, another one that vanishes joins it.
    await removeAtBitbucket('r07');
    await discover(integration);
    await passHours(integration);
    await discover(integration);
    expect(await asked(integration)).toBe(7);
    for (const _ of ['once', 'again']) await settle(integration, 'gone');
    expect([await presences(integration), await asked(integration)]).toEqual([{ present: 18, gone: 7 }, 0]);
    expect((await eventsOf(integration)).map(({ type, data }) => [type, data['repositories']])).toEqual([
      ['repositories_vanished', 6],
      ['repositories_vanished', 1],
      ['vanished_confirmed', 7],
    ]);
    const [audit] =
      await bench.sql`select * from audit_events where integration_id = ${integration.integrationId}`;
    expect(audit).toMatchObject({ action: 'vanished_confirmed', acting_user: 'ada' });
  });

  it('what a person keeps stays, and is not asked about again until it was seen', async () => {
    const integration = await connect();
    await discover(integration);
    await removeAtBitbucket(...SLUGS.slice(0, 6));
    await discover(integration);
    await passHours(integration);
    await discover(integration);
    await settle(integration, 'keep');
    await passHours(integration);
    await discover(integration);
    expect([await presences(integration), await asked(integration)]).toEqual([
      { present: 19, missing: 6 },
      0,
    ]);
    // Meanwhile one more is marked as ever.
    await removeAtBitbucket('r10');
    await discover(integration);
    await passHours(integration);
    await discover(integration);
    expect(await presences(integration)).toEqual({ present: 18, missing: 6, gone: 1 });
    await settle(integration, 'gone');
    expect(await presences(integration)).toEqual({ present: 18, gone: 7 });
  });

  it('a question is over when they are seen again', async () => {
    const integration = await connect();
    await discover(integration);
    await removeAtBitbucket(...SLUGS);
    await discover(integration);
    await passHours(integration);
    await discover(integration);
    expect(await asked(integration)).toBe(24);
    for (const again of undo.splice(0)) await again();
    await discover(integration);
    expect([await presences(integration), await asked(integration)]).toEqual([{ present: 25 }, 0]);
    expect((await eventsOf(integration)).map(({ type }) => type)).toEqual([
      'repositories_vanished',
      'vanished_seen_again',
    ]);
  });
});

describe('what is somewhere else', () => {
  it('a renamed repository stays one row, and its old name leads to it', async () => {
    const integration = await connect();
    await discover(integration);
    const rename = (repository: string, slug: string) =>
      bench.simulator.mutate({ kind: 'repository.rename', repository, slug });
    undo.push(() => rename('acme/renamed', 'r11'));
    await rename('acme/r11', 'renamed');
    await discover(integration);
    await discover(integration);
    const { organizationId } = integration;
    expect(
      await bench.sql`select r.full_name, n.full_name as old from repository_names n
        join repositories r on r.id = n.repository_id where n.organization_id = ${organizationId}`,
    ).toEqual([{ full_name: 'acme/renamed', old: 'acme/r11' }]);
    expect(await eventsOf(integration)).toEqual([
      { type: 'repository_renamed', data: { from: 'acme/r11', to: 'acme/renamed' } },
    ]);
    expect(await presences(integration)).toEqual({ present: 25 });
  });

  it('one that moved to another project, and one to another workspace, are told as moved', async () => {
    const integration = await connect();
    await discover(integration);
    const here = 'acme/r12';
    undo.push(
      () => bench.simulator.mutate({ kind: 'repository.edit', repository: here, project: 'ONE' }),
      () =>
        bench.simulator.mutate({
          kind: 'repository.transfer',
          repository: 'other/r13',
          workspace: 'acme',
          project: 'ONE',
        }),
    );
    await bench.simulator.mutate({ kind: 'repository.edit', repository: here, project: 'TWO' });
    await bench.simulator.mutate({ kind: 'repository.transfer', repository: 'acme/r13', workspace: 'other' });
    await bench.simulator.mutate({
      kind: 'repository.create',
      workspace: 'acme',
      slug: 'brand-new',
    });
    undo.push(() => bench.simulator.mutate({ kind: 'repository.delete', repository: 'acme/brand-new' }));
    await discover(integration);
    const told = await eventsOf(integration);
    expect(told.map(({ type, data }) => [type, data['to'] ?? data])).toEqual(
      expect.arrayContaining([
        ['repository_moved', expect.objectContaining({ full_name: 'acme/r12' })],
        ['repository_moved', expect.objectContaining({ full_name: 'other/r13' })],
        ['repository_found', { full_name: 'acme/brand-new' }],
      ]),
    );
    expect(told).toHaveLength(3);
    expect(await presences(integration)).toEqual({ present: 26 });
  });

  it('one that is hidden from this account, while another integration sees it, is out of reach and not gone', async () => {
    const admin = await connect();
    const service = await connect('api_token.service', admin.organizationId);
    await discover(admin);
    await discover(service);
    const before = await presences(service);
    const show = async (right: 'read' | null) => {
      const at = { repository: 'acme/r14', user: 'service' };
      await bench.simulator.mutate({
        kind: 'repository.edit',
        repository: at.repository,
        member_right: right,
      });
      await bench.simulator.mutate({ kind: 'user.right', ...at, right });
    };
    undo.push(() => show('read'));
    await show(null);
    await discover(service);
    await passHours(service);
    await discover(admin);
    await discover(service);
    expect(await presences(service)).toEqual({ present: (before['present'] ?? 0) - 1, no_access: 1 });
    expect(await presences(admin)).toEqual({ present: 25 });
    expect(await eventsOf(service)).toEqual([
      { type: 'repository_no_access', data: { full_name: 'acme/r14' } },
    ]);
  });

  it('a workspace that is not listed any more is out of reach after two lists, and back with the next', async () => {
    const admin = await connect();
    await discover(admin);
    bench.simulator.faults.set({
      rules: [{ match: { path: '^/2.0/user/workspaces' }, fault: { kind: 'empty_list' } }],
    });
    await discover(admin);
    await passHours(admin);
    await discover(admin);
    expect(await presences(admin)).toEqual({ present: 25 });
    bench.simulator.faults.clear();
    const right = (value: string | null) =>
      bench.simulator.mutate({ kind: 'user.right', user: 'admin', workspace: 'other', right: value });
    undo.push(() => right('owner'));
    await right(null);
    await discover(admin);
    expect(await presences(admin)).toEqual({ present: 25 });
    await passHours(admin);
    await discover(admin);
    expect(await presences(admin)).toEqual({ present: 24, no_access: 1 });
    await right('owner');
    await discover(admin);
    expect((await eventsOf(admin)).map(({ type, data }) => [type, data['workspace'] ?? data['was']])).toEqual(
      [
        ['workspace_no_access', 'other'],
        ['repository_back', 'no_access'],
      ],
    );
  });
});
