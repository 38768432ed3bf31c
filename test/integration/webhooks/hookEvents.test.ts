import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createWebhookBench } from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const EVENTS = { path: '/hook_events' };
const SHORT = { match: EVENTS, fault: { kind: 'thin_list', share: 0.5, size: 'lowered' } };
const setOf = ({ events }: { events: string[] }) => new Set(events);

describe('the list of events that Bitbucket offers', () => {
  it.each([
    ['is falsely empty', { kind: 'empty_list' }],
    ['is shorter than it says', { kind: 'thin_list', share: 0.5 }],
  ])('%s: it is read again, and no hook is touched', async (_, fault) => {
    const acme = await bench.registered();
    const before = await acme.stored();
    const since = bench.mark();
    bench.simulator.faults.set({ rules: [{ match: EVENTS, fault }] });
    await expect(acme.round()).rejects.toMatchObject({ type: 'InvalidResponse' });
    bench.simulator.faults.clear();
    await bench.sql`delete from request_limits`;
    await acme.round();
    expect(bench.writes(since)).toEqual([]);
    expect(await acme.stored()).toEqual(before);
  });

  it('lacks some unnoticed: the hooks keep what they have, also where their settings are sent', async () => {
    const acme = await bench.registered();
    const before = (await acme.stored()).map(setOf);
    bench.simulator.faults.set({ rules: [SHORT] });
    await acme.command(true, { rotate: true });
    await acme.round();
    const after = await acme.stored();
    for (const hook of after) expect(hook).toMatchObject({ state: 'active', generation: 2 });
    expect(after.map(setOf)).toEqual(before);
    const [there] = await acme.hooksAt('/workspaces/acme-rockets');
    expect(setOf(there!)).toEqual(before[0]);
  });

  it('lacks some that a hook has and Bitbucket refuses: it goes on with the others', async () => {
    const acme = await bench.registered('api_token.admin', () => false);
    const before = await acme.stored();
    const refusal = { match: { method: 'PUT' }, count: 1, fault: { kind: 'status', status: 400 } };
    bench.simulator.faults.set({ rules: [SHORT, refusal] });
    await acme.command(true, { rotate: true });
    await acme.round();
    const after = await acme.stored();
    for (const hook of after) expect(hook).toMatchObject({ state: 'active', generation: 2 });
    const gaveUp = after.filter(({ events }, index) => events.length < (before[index]?.events.length ?? 0));
    expect(gaveUp).toHaveLength(1);
    const [there] = await acme.hooksAt(`/workspaces/${gaveUp[0]?.name ?? ''}`);
    expect(setOf(there!)).toEqual(setOf(gaveUp[0]!));
  });
});
