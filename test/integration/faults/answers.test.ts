import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { BitbucketError, InvalidResponse, Unreachable } from '../../../activities/bitbucket/errors.ts';
import { readPage } from '../../../activities/bitbucket/paging.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createHostileProxy, type HostileProxy } from '../../support/hostileProxy.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import { JUNK, mishapOf, pick } from '../../support/badAnswers.ts';
import { createBareClient } from '../../support/bareClient.ts';
import { waitFor } from '../../support/waitFor.ts';

/**
 * Answers that never come whole, or come wrong (reliability.md, F22 to F24), over seeds: whatever the wire and the host
 * do, an answer is either the host's own or an error that says so and may be tried again.
 */
const LIST = '/repositories/acme/subject/pullrequests?pagelen=5&q=id%3E0&sort=id';
const CI_SEEDS = 500;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

vi.setConfig({ testTimeout: seedsTimeoutMs() });

const WORLD = acmeWorld([{ slug: 'subject', pullRequests: 12, commits: 10 }]);

let simulator: Simulator;
let proxy: HostileProxy;
let client: BitbucketClient;
beforeAll(async () => {
  proxy = await createHostileProxy();
  simulator = await createSimulator({ world: WORLD, limit: 0, publicUrl: proxy.url });
  proxy.target = simulator.port;
  client = clientOf(`${proxy.url}/2.0`);
});
afterAll(async () => {
  await simulator.close();
  await proxy.close();
});
afterEach(() => {
  proxy.next = () => ({ kind: 'none' });
  simulator.faults.clear();
});

const clientOf = (apiUrl: string, deadlineMs = 5_000, maxBytes?: number): BitbucketClient =>
  createBareClient(simulator, { apiUrl, deadlineMs, ...(maxBytes === undefined ? {} : { maxBytes }) });

const ask = (through = client) =>
  through.get({
    credential: { organizationId: '', credentialId: '' },
    path: LIST,
    signal: new AbortController().signal,
  });

/** Where an answer is no page, it must be an error that the engine tries again. */
async function askOnce(seed: number, whole: unknown): Promise<'whole' | BitbucketError> {
  try {
    const answer = await ask();
    readPage(answer, 'pullrequests');
    expect(answer.json, `seed ${String(seed)}`).toEqual(whole);
    return 'whole';
  } catch (error) {
    if (!(error instanceof BitbucketError)) throw error;
    const told = `seed ${String(seed)}: ${error.type} ${error.finding.code}`;
    expect(error instanceof Unreachable || error instanceof InvalidResponse, told).toBe(true);
    expect(error.retry.kind, told).not.toBe('never');
    return error;
  }
}

describe('F22: connections', () => {
  test('that break anywhere are told as such, never as an answer', async () => {
    // Past the wire, on which a connection that is open already would meet with nothing.
    const whole = (await ask(clientOf(`http://127.0.0.1:${String(simulator.port)}/2.0`))).json;
    const outcomes = new Map<string, number>();
    for (const seed of seeds(CI_SEEDS)) {
      const random = seededRandom(seed);
      proxy.next = () => mishapOf(random);
      const outcome = await askOnce(seed, whole);
      const name =
        outcome === 'whole' ? outcome : outcome instanceof Unreachable ? outcome.stage : outcome.type;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    }
    expect([...outcomes.keys()].toSorted()).toEqual(['InvalidResponse', 'reset', 'whole']);
  });

  test.each([
    ['a name that nobody knows', 'http://nobody.invalid/2.0', 'dns'],
    ['a port where nobody listens', 'http://127.0.0.1:9/2.0', 'connect'],
  ])('%s', async (_, apiUrl, stage) => {
    const error = await ask(clientOf(apiUrl)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'Unreachable', stage, retry: { kind: 'always' } });
  });

  test('no encryption where there should be some', async () => {
    const error = await ask(clientOf(`https://127.0.0.1:${String(proxy.port)}/2.0`)).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ type: 'Unreachable', stage: 'tls', retry: { kind: 'always' } });
  });

  test('taken but never answered: the deadline ends it', async () => {
    // A wire of its own: over the other one a connection may still be open.
    const silent = await createHostileProxy();
    silent.next = () => ({ kind: 'hang' });
    const began = performance.now();
    const error = await ask(clientOf(`${silent.url}/2.0`, 300)).catch((thrown: unknown) => thrown);
    await silent.close();
    expect(error).toMatchObject({ type: 'Unreachable', stage: 'timeout' });
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('F23: an answer that does not end', () => {
  const CAP = 8 * 1_048_576;
  const MARGIN = 10 * 1_048_576;

  test.each([
    ['drips a byte a second', { kind: 'drip', ms: 1_000 }, 500, { type: 'Unreachable', stage: 'timeout' }],
    ['is silent behind its head', { kind: 'silence' }, 500, { type: 'Unreachable', stage: 'timeout' }],
    ['goes on for ever', { kind: 'endless_body' }, 10_000, { finding: { code: 'answer_too_large' } }],
  ])(
    'because it %s: ended by its deadline or cap, and its memory is free again',
    async (_, fault, deadlineMs, told) => {
      const asking = clientOf(`${proxy.url}/2.0`, deadlineMs, CAP);
      simulator.faults.set({ seed: 1, rules: [{ fault }] });
      const ended = async () => ask(asking).catch((thrown: unknown) => thrown);
      await ended();
      const before = memoryInUse();
      for (let time = 1; time <= 5; time += 1) {
        const began = performance.now();
        expect(await ended()).toMatchObject(told);
        expect(performance.now() - began).toBeLessThan(deadlineMs + 1_000);
      }
      // Sockets that were cut let go of their buffers in their own time.
      await waitFor({
        what: 'the memory is free again',
        read: () => memoryInUse() - before,
        until: (more) => more < MARGIN,
      });
    },
  );
});

describe('F24: a success that is no page', () => {
  test('is never read as an empty one', async () => {
    for (const seed of seeds(CI_SEEDS)) {
      const random = seededRandom(seed);
      const fault = pick(random, JUNK)(random);
      simulator.faults.set({ seed, rules: [{ fault }] });
      const error = await ask()
        .then(
          (answer) => readPage(answer, 'pullrequests'),
          (thrown: unknown) => thrown,
        )
        .catch((thrown: unknown) => thrown);
      const told = `seed ${String(seed)}: ${JSON.stringify(fault)} gave ${JSON.stringify(error)}`;
      expect(error, told).toBeInstanceOf(BitbucketError);
      expect((error as BitbucketError).retry.kind, told).not.toBe('never');
    }
  });
});

function memoryInUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
