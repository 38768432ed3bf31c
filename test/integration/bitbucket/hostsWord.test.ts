import { describe, expect, it } from 'vitest';
import { BACKGROUND, LIVE } from '../../../activities/bitbucket/asker.ts';
import { RateLimited } from '../../../activities/bitbucket/errors.ts';
import type { RequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { inMs, ok, refusal, useGateBench } from '../../support/gateBench.ts';

const bench = useGateBench();
const { gateOf, take, spend, exhaust, allowance } = bench;

describe("Bitbucket's word", () => {
  const stating = (headers: Record<string, string>) => new Headers(headers);

  it('about the limit replaces ours, and the newest word counts', async () => {
    const gate = gateOf(50);
    expect(await exhaust(gate)).toBe(48);
    const old = await take(gate, { asker: LIVE });
    await spend(gate, LIVE, stating({ 'x-ratelimit-limit': '60, 60;w=3600' }));
    await old.answered({ status: 200, headers: stating({ 'x-ratelimit-limit': '10' }) });
    expect(await allowance()).toMatchObject({ limit: 60, reserve: 2, used: 50 });
    expect(await exhaust(gate)).toBe(8);
  });

  it('about what remains counts what was used elsewhere, and forgets it when Bitbucket does', async () => {
    const gate = gateOf(100);
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-remaining': '40' }));
    expect(await allowance()).toMatchObject({ used: 60, remaining: 37 });
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-remaining': '39' }));
    expect(await allowance()).toMatchObject({ used: 61 });
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-remaining': '97' }));
    expect(await allowance()).toMatchObject({ used: 3 });
  });

  it('about what remains does not count our own requests under way twice', async () => {
    const gate = gateOf(100);
    const under = await Promise.all(Array.from({ length: 5 }, () => take(gate)));
    const last = await take(gate);
    await last.answered({ status: 200, headers: stating({ 'x-ratelimit-remaining': '94' }) });
    for (const permit of under) {
      await permit.answered({ status: 200, headers: stating({ 'x-ratelimit-remaining': '95' }) });
    }
    expect(await allowance()).toMatchObject({ used: 6 });
  });

  it.each([
    ['true', 80],
    ['1', 80],
    ['200', 1],
  ])('that the end is near (%s) means that a fifth is left at most', async (near, used) => {
    const gate = gateOf(100);
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-nearlimit': near }));
    expect(await allowance()).toMatchObject({ used });
    await spend(gate, BACKGROUND, stating({ 'x-ratelimit-nearlimit': 'false' }));
    expect((await allowance()).used).toBeLessThanOrEqual(80);
  });

  it('that there is no room is believed although our window has some', async () => {
    const gate = gateOf(100);
    const permit = await take(gate);
    await permit.answered({ status: 429, headers: stating({ 'retry-after': '120' }) });
    const error = await refusal(take(gate));
    expect(error.why).toBe('Bitbucket asked to wait');
    expect(Math.round(inMs(error.until) / 1_000)).toBe(120);
    expect((await allowance()).blockedUntil).not.toBeNull();
  });
});

describe('a host that is down', () => {
  const broken = { status: 503, headers: new Headers() };
  const failOnce = async (gate: RequestGate): Promise<void> => {
    await (await take(gate)).answered(broken);
  };
  /** As if so much time had passed since the host failed. */
  const wait = (seconds: number) => bench.superuser`update request_limits
    set blocked_until = blocked_until - make_interval(secs => ${seconds}) where account_key = ${bench.accountKey}`;

  it('is asked by one request at a time once five in a row have failed, in an outage of half an hour 14 times at most', async () => {
    const gate = gateOf(0);
    let asked = 0;
    for (let seconds = 0; seconds < 1_800; ) {
      try {
        await failOnce(gate);
        asked += 1;
      } catch (error) {
        if (!(error instanceof RateLimited)) throw error;
        expect(error.why).toBe('Bitbucket does not answer');
        const left = Math.ceil(inMs(error.until) / 1_000);
        expect(left).toBeGreaterThan(58);
        seconds += left;
        await wait(left);
      }
    }
    expect(asked).toBeGreaterThan(9);
    expect(asked).toBeLessThanOrEqual(14);
    // The probe that is answered lifts it for all.
    await (await take(gate)).answered(ok);
    await Promise.all([take(gate), take(gate), take(gate)]);
  });

  it('lets only one through while it is probed', async () => {
    const gate = gateOf(0);
    for (let failure = 0; failure < 5; failure += 1) await failOnce(gate);
    await wait(61);
    const probe = await take(gate);
    expect(probe.probing).toBe(true);
    expect((await refusal(take(gate))).why).toBe('Bitbucket does not answer');
    await probe.failed();
    expect(inMs((await refusal(take(gate))).until)).toBeGreaterThan(100_000);
  });

  it('keeps the others waiting for a minute at most while it is probed, however long the answer may take', async () => {
    const gate = gateOf(0);
    for (let failure = 0; failure < 5; failure += 1) await failOnce(gate);
    await wait(61);
    await take(gate, { deadlineMs: 600_000 });
    expect(inMs((await refusal(take(gate))).until)).toBeLessThanOrEqual(60_000);
  });

  it('is not what failures between answers are, nor many that were under way at once', async () => {
    const gate = gateOf(0);
    for (let round = 0; round < 3; round += 1) {
      for (let failure = 0; failure < 4; failure += 1) await failOnce(gate);
      await (await take(gate)).answered(ok);
    }
    const underWay = await Promise.all(Array.from({ length: 20 }, () => take(gate)));
    for (const permit of underWay) await permit.failed();
    // As after the fifth: a minute, not five.
    expect(inMs((await refusal(take(gate))).until)).toBeLessThan(61_000);
  });
});
