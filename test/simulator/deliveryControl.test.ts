import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import type { Shown } from './client.ts';
import { createReceiver, type Receiver } from './support/receiver.ts';

const WORLD = {
  workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
  repositories: [{ workspace: 'one', project: 'P', slug: 'app', pullRequests: 1, commits: 3 }],
};

let simulator: Simulator;
let receiver: Receiver;
beforeEach(async () => {
  receiver = await createReceiver();
  simulator = await createSimulator({ world: WORLD, limit: 0 });
  await control('POST', 'mutations', { kind: 'hook.create', repository: 'one/app', url: receiver.url });
});
afterEach(async () => {
  await simulator.close();
  await receiver.close();
});

async function control(method: string, path: string, body?: unknown): Promise<Shown> {
  const response = await fetch(`${simulator.url}/_simulator/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isLines = response.headers.get('content-type')?.includes('ndjson') === true;
  const lines = (): unknown[] => (text === '' ? [] : text.trim().split('\n')).map((line) => JSON.parse(line));
  return { status: response.status, json: isLines ? lines() : JSON.parse(text) };
}

/** Makes so many comments, `1`, `2` and so on, and waits until nothing is on its way. */
async function comment(count: number): Promise<void> {
  const changes = Array.from({ length: count }, (_, at) => ({
    kind: 'comment.add',
    repository: 'one/app',
    number: 1,
    raw: String(at + 1),
  }));
  await control('POST', 'mutations', changes);
  expect((await control('GET', 'deliveries/quiet?timeout_ms=10000')).json).toEqual({
    quiet: true,
    waiting: 0,
  });
}

const faults = async (rules: unknown[], seed = 1): Promise<void> => {
  expect((await control('PUT', 'deliveries/faults', { seed, rules })).status).toBe(200);
};
const arrived = (): string[] => receiver.received.map(({ json }) => json.comment.content.raw);
const states = async (): Promise<string[]> =>
  (await control('GET', 'deliveries')).json.map(({ state }: Shown) => state);

describe('deliveries through the control interface', () => {
  test('the journal tells what was sent, to whom, and what was answered', async () => {
    receiver.answers.push(500, 404);
    await comment(2);
    const { json } = await control('GET', 'deliveries');
    const [{ hooks }] = [(await control('GET', 'hooks')).json];
    expect(hooks).toMatchObject([{ repository: 'one/app', url: receiver.url, active: true }]);
    expect(json).toMatchObject([
      {
        sequence: 1,
        event: 'pullrequest:comment_created',
        hook: hooks[0].uuid,
        url: receiver.url,
        state: 'refused',
        fault: null,
        copy_of: null,
        attempts: [
          { number: 1, status: 500, error: null },
          { number: 2, status: 404 },
        ],
        body: { comment: { content: { raw: '1' } } },
      },
      { sequence: 2, state: 'delivered', attempts: [{ number: 1, status: 200 }] },
    ]);
    expect((await control('GET', 'deliveries?since=1&body=no')).json).toEqual([
      expect.not.objectContaining({ body: expect.anything() }),
    ]);
    await control('DELETE', 'deliveries');
    expect((await control('GET', 'deliveries')).json).toEqual([]);
  });

  test('loses all of them, or a share that the seed decides', async () => {
    await faults([{ fault: { kind: 'lose' } }]);
    await comment(2);
    expect(arrived()).toEqual([]);
    expect(await states()).toEqual(['lost', 'lost']);
    const share = async (seed: number): Promise<string> => {
      await control('DELETE', 'deliveries');
      await faults([{ match: { event: 'comment' }, probability: 0.5, fault: { kind: 'lose' } }], seed);
      await comment(16);
      return (await states()).join(' ');
    };
    const first = await share(3);
    expect(first).toMatch(/lost/);
    expect(first).toMatch(/delivered/);
    expect(await share(3)).toBe(first);
    expect(await share(4)).not.toBe(first);
    expect((await control('GET', 'deliveries/faults')).json.rules[0]).toMatchObject({ matched: 16 });
    await control('DELETE', 'deliveries/faults');
    await control('DELETE', 'deliveries');
    await comment(3);
    expect(await states()).toEqual(['delivered', 'delivered', 'delivered']);
  });

  test('duplicates with the same id, bytes and signature', async () => {
    await faults([{ nth: 1, fault: { kind: 'duplicate', times: 2 } }]);
    await comment(2);
    expect(arrived()).toEqual(['1', '1', '1', '2']);
    const [one, two, three] = receiver.received.map(({ raw, headers }) => [raw, headers['x-request-uuid']]);
    expect([two, three]).toEqual([one, one]);
    const copies = (await control('GET', 'deliveries')).json.map(({ copy_of }: Shown) => copy_of);
    expect(copies).toEqual([null, 1, 1, null]);
  });

  test('a delayed one holds up those behind it, a late one is passed by', async () => {
    await faults([{ nth: 1, fault: { kind: 'delay', ms: 60 } }]);
    await comment(2);
    expect(arrived()).toEqual(['1', '2']);
    await faults([{ nth: 1, fault: { kind: 'late', ms: 200 } }]);
    await comment(2);
    expect(arrived()).toEqual(['1', '2', '2', '1']);
  });

  test('reorders so many together, and what is left over after a while', async () => {
    await faults([{ fault: { kind: 'reorder', window: 4, within_ms: 40 } }], 7);
    await comment(6);
    expect(arrived().slice(0, 4).toSorted()).toEqual(['1', '2', '3', '4']);
    expect(arrived().slice(0, 4)).not.toEqual(['1', '2', '3', '4']);
    expect(arrived().slice(4).toSorted()).toEqual(['5', '6']);
  });

  test('sends again, in the order asked for or in one of the seed', async () => {
    await comment(4);
    const again = async (body: unknown): Promise<string[]> => {
      receiver.received.length = 0;
      expect((await control('POST', 'deliveries/redeliver', body)).status).toBe(200);
      await control('GET', 'deliveries/quiet');
      return arrived();
    };
    const first = receiver.received.map(({ raw }) => raw);
    expect(await again({ sequences: [3, 1, 2] })).toEqual(['3', '1', '2']);
    expect(receiver.received[1]?.raw).toBe(first[0]);
    expect(await again({ all: true })).toEqual(['1', '2', '3', '4']);
    const mixed = await again({ all: true, seed: 5 });
    expect(mixed.toSorted()).toEqual(['1', '2', '3', '4']);
    expect(mixed).not.toEqual(['1', '2', '3', '4']);
    const refused = await control('POST', 'deliveries/redeliver', { sequences: [99] });
    expect(refused).toMatchObject({ status: 400, json: { error: expect.stringContaining('no delivery') } });
  });

  test('says when deliveries still wait', async () => {
    receiver.answers.push('hang');
    const kind = 'comment.add';
    await control('POST', 'mutations', { kind, repository: 'one/app', number: 1, raw: 'x' });
    expect((await control('GET', 'deliveries/quiet?timeout_ms=20')).json).toEqual({
      quiet: false,
      waiting: 1,
    });
  });

  test('refuses a plan that is none', async () => {
    const { status, json } = await control('PUT', 'deliveries/faults', {
      rules: [{ fault: { kind: 'eat' } }],
    });
    expect([status, json.error]).toEqual([400, expect.stringContaining('kind')]);
  });
});
