import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CredentialRef } from '../../../activities/bitbucket/client.ts';
import {
  AuthRefused,
  BadRequest,
  type BitbucketError,
  InvalidResponse,
  RateLimited,
  Unreachable,
  Upstream,
} from '../../../activities/bitbucket/errors.ts';
import { useEngineBench } from '../../support/engineBench.ts';

let credential: CredentialRef;
/** another server of this machine: what a redirect must never reach */
let attacker: { server: Server; url: string; connections: number };

const MEGABYTE = 1_048_576;
const bench = useEngineBench({ engine: { deadlineMs: 1_500, maxBytes: 4 * MEGABYTE } });

beforeAll(async () => {
  const server = createServer((_, response) => {
    attacker.connections += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  attacker = { server, url: `http://127.0.0.1:${String(port)}`, connections: 0 };
});

afterAll(() => void attacker.server.close());

beforeEach(async () => {
  credential = await bench.connect();
});

afterEach(() => bench.simulator.faults.clear());

const REPOSITORY = '/repositories/acme-rockets/flight-control';
const LIST = `${REPOSITORY}/pullrequests?pagelen=10`;
const get = (path = LIST, more: { maxWaitMs?: number; onWait?: (until: string) => void } = {}) =>
  bench.engine.client.get({ credential, path, signal: new AbortController().signal, ...more });
const next = (url: string) =>
  bench.engine.client.get({ credential, next: url, signal: new AbortController().signal });
const play = (fault: object, more: object = {}) =>
  bench.simulator.faults.set({ rules: [{ ...more, fault }] });
const failure = async (work: Promise<unknown>): Promise<BitbucketError> =>
  work.then(
    () => {
      throw new Error('it went through');
    },
    (error: BitbucketError) => error,
  );
const requests = (since: number) =>
  [...bench.simulator.journal.since(since)].filter(({ path }) => path.startsWith('/2.0/')).length;
const mark = () => [...bench.simulator.journal.since(0)].at(-1)?.sequence ?? 0;

describe('a request', () => {
  it('gives JSON, bytes, both clocks and the scopes', async () => {
    const before = new Date().toISOString();
    const answer = await get();
    expect(answer).toMatchObject({ status: 200, scopes: { credentialType: 'api_token' } });
    expect(JSON.parse(new TextDecoder().decode(answer.bytes))).toEqual(answer.json);
    expect(answer.observedAt >= before).toBe(true);
    expect(answer.observedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(answer.date ?? '') - Date.now())).toBeLessThan(10_000);
    expect(answer.scopes.granted).toContain('read:repository:bitbucket');
  });

  it('asks for what has changed only, when it has an etag', async () => {
    const first = await get(REPOSITORY);
    expect(first.etag).toBeDefined();
    const again = await bench.engine.client.get({
      credential,
      path: REPOSITORY,
      etag: first.etag ?? '',
      signal: new AbortController().signal,
    });
    expect(again).toMatchObject({ status: 304, json: undefined });
  });

  it('with a form is a POST that reads, through the redirect of a renamed repository too', async () => {
    const asked = async (slug: string, hashes: string[]) => {
      const form = hashes.map((hash) => `include=${hash}`).join('&');
      const path = `/repositories/acme-rockets/${slug}/commits?pagelen=2`;
      const { json } = await bench.engine.client.get({
        credential,
        path,
        form,
        signal: new AbortController().signal,
      });
      return (json as { values: { hash: string }[] }).values.map(({ hash }) => hash);
    };
    const [, second] = await asked('telemetry', []);
    const since = mark();
    expect((await asked('telemetry-old', [second ?? '']))[0]).toBe(second);
    const sent = [...bench.simulator.journal.since(since)];
    expect(sent.map(({ method, status }) => [method, status])).toEqual([
      ['POST', 301],
      ['POST', 200],
    ]);
  });

  it('ends when it is aborted', async () => {
    play({ kind: 'delay', ms: 5_000 });
    const abort = new AbortController();
    const reason = new Error('stopped');
    setTimeout(() => abort.abort(reason), 100);
    const began = performance.now();
    await expect(bench.engine.client.get({ credential, path: LIST, signal: abort.signal })).rejects.toBe(
      reason,
    );
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe('an answer that cannot be read is an error, never an empty page', () => {
  it.each([
    ['cut off', { kind: 'truncate', share: 0.5 }],
    ['a web page', { kind: 'html' }],
    ['empty', { kind: 'status', status: 200, body: '' }],
    [
      'JSON cut off',
      { kind: 'status', status: 200, body: '{"values":[{"id":1}', content_type: 'application/json' },
    ],
    ['HTML called JSON', { kind: 'status', status: 200, body: '<html>', content_type: 'application/json' }],
    ['JSON called HTML', { kind: 'status', status: 200, body: '{"values":[]}', content_type: 'text/html' }],
    ['a status that makes no sense', { kind: 'status', status: 206, body: '{"values":[]}' }],
  ])('%s', async (_, fault) => {
    play(fault);
    const error = await failure(get());
    expect(error instanceof InvalidResponse || error instanceof Unreachable).toBe(true);
    expect(error.retry.kind).not.toBe('never');
    expect(`${error.message} ${JSON.stringify(error)}`).not.toMatch(/<html>|values/);
  });

  it('later than the deadline', async () => {
    play({ kind: 'delay', ms: 10_000 });
    const began = performance.now();
    expect(await failure(get())).toMatchObject({ type: 'Unreachable', stage: 'timeout' });
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it('dripping: the deadline holds for the whole body', async () => {
    play({ kind: 'slow_body', ms: 10_000 });
    const began = performance.now();
    expect(await failure(get())).toMatchObject({ type: 'Unreachable', stage: 'timeout' });
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it('endless: it stops at the cap', async () => {
    play({ kind: 'status', status: 200, body: ' '.repeat(5 * MEGABYTE), content_type: 'application/json' });
    expect(await failure(get())).toMatchObject({
      type: 'InvalidResponse',
      finding: { code: 'answer_too_large' },
    });
  });

  it('broken off', async () => {
    play({ kind: 'reset' });
    expect(await failure(get())).toMatchObject({ type: 'Unreachable', stage: 'reset' });
  });

  it.each([500, 502, 503, 555])('%i is for later', async (status) => {
    play({ kind: 'status', status, body: '<html>' });
    expect(await failure(get())).toBeInstanceOf(Upstream);
  });
});

describe('a redirect', () => {
  it('of a renamed repository is followed, with the signature', async () => {
    const answer = await get('/repositories/acme-rockets/telemetry-old');
    expect(answer.json).toMatchObject({ full_name: 'acme-rockets/telemetry' });
  });

  it('or next to another place is not followed', async () => {
    const foreign = [
      `${attacker.url}/2.0/x`,
      `http://127.0.0.1:${new URL(bench.simulator.url).port}@${new URL(attacker.url).host}/2.0/x`,
      `${bench.simulator.url}/internal`,
      `${bench.simulator.apiUrl}/../internal`,
    ];
    for (const url of foreign) {
      expect(await failure(next(url)), url).toMatchObject({
        type: 'InvalidResponse',
        finding: { code: 'foreign_url' },
        retry: { kind: 'never' },
      });
    }
  });

  it('to another place, in a circle or without a target ends', async () => {
    const locations = [`${attacker.url}/2.0/x`, '/2.0/loop', '//127.0.0.1/2.0/x', undefined];
    for (const location of locations) {
      const host = await redirecting(location);
      const other = bench.anotherEngine({
        apiUrl: `${host.url}/2.0`,
        webUrl: host.url,
      });
      const request = { credential, path: '/loop', signal: new AbortController().signal };
      expect(await failure(other.client.get(request)), location).toBeInstanceOf(InvalidResponse);
      expect(host.count()).toBeLessThanOrEqual(4);
      await other.end();
      host.close();
    }
  });
});

async function redirecting(location: string | undefined) {
  let count = 0;
  const server = createServer((_, response) => {
    count += 1;
    response.writeHead(308, location === undefined ? {} : { location });
    response.end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    count: () => count,
    close: () => server.close(),
  };
}

describe('a limit', () => {
  const limit = (retry_after: string, seconds = 60) => ({ kind: 'rate_limit', retry_after, seconds });
  const untilIn = (error: BitbucketError) =>
    Math.round((Date.parse((error as RateLimited).until) - Date.now()) / 1000);

  it.each([
    ['seconds', 600],
    ['date', 600],
  ])('given as %s holds every request of the account back, and none is sent', async (form, seconds) => {
    play(limit(form, seconds), { count: 1 });
    const first = await failure(get());
    expect(first).toBeInstanceOf(RateLimited);
    expect(Math.abs(untilIn(first) - seconds)).toBeLessThanOrEqual(2);
    const sent = mark();
    const held = await Promise.all(Array.from({ length: 10 }, () => failure(get())));
    expect(held.map(({ type }) => type)).toEqual(Array.from({ length: 10 }, () => 'RateLimited'));
    expect(requests(sent)).toBe(0);
  });

  it('without a time starts at a minute and doubles to an hour', async () => {
    play(limit('none'));
    const waits: number[] = [];
    for (let probe = 0; probe < 8; probe += 1) {
      waits.push(untilIn(await failure(get())));
      // the wait passes
      await bench.rows.sql`update request_limits set blocked_until = clock_timestamp()
        where account_key = ${`credential:${credential.credentialId}`}`;
    }
    const wanted = [60, 120, 240, 480, 960, 1920, 3600, 3600];
    expect(waits.map((wait, index) => Math.abs(wait - (wanted[index] ?? 0)) <= 2)).not.toContain(false);
  });

  it('that has passed is tried by one request at a time', async () => {
    play(limit('none'), { count: 1 });
    await failure(get());
    play({ kind: 'delay', ms: 300 });
    await bench.rows.sql`update request_limits set blocked_until = clock_timestamp()`;
    const sent = mark();
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => get(LIST, { maxWaitMs: 0 })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(requests(sent)).toBe(1);
    bench.simulator.faults.clear();
    await Promise.all(Array.from({ length: 5 }, () => get()));
  });

  it('met by many requests at once counts once', async () => {
    play(limit('none'), { count: 10 });
    const errors = await Promise.all(Array.from({ length: 10 }, () => failure(get())));
    expect(Math.max(...errors.map(untilIn))).toBeLessThanOrEqual(61);
  });

  it('that is short is waited for, and said', async () => {
    play(limit('seconds', 1), { count: 1 });
    await failure(get());
    const waits: string[] = [];
    const answer = await get(LIST, { onWait: (until) => waits.push(until), maxWaitMs: 5_000 });
    expect(answer.status).toBe(200);
    expect(waits.length).toBeGreaterThanOrEqual(1);
  });

  it('of one group leaves the others alone', async () => {
    play(limit('seconds', 600), { count: 1 });
    await failure(get());
    expect((await get('/user')).status).toBe(200);
    expect((await get('/workspaces/acme-rockets/hooks')).status).toBe(200);
  });
});

it('a brownout is a refusal of the credential, and a token that cannot be renewed is not tried twice', async () => {
  play({ kind: 'brownout' });
  const sent = mark();
  expect(await failure(get())).toBeInstanceOf(AuthRefused);
  expect(requests(sent)).toBe(1);
});

it('a stored next that has lost its meaning is a bad request', async () => {
  expect(
    await failure(next(`${bench.simulator.apiUrl}${REPOSITORY}/pullrequests?pagelen=5000`)),
  ).toBeInstanceOf(BadRequest);
});

it('nothing of all this has reached another place', () => {
  expect(attacker.connections).toBe(0);
});
