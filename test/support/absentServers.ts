import { type AddressInfo, createServer } from 'node:net';
import { freePort } from '../../scripts/servers/freePort.ts';
import { type Sample, sampleOf } from './apiSamples.ts';
import { call, callRaw, keyedOperations, world } from './apiWorld.ts';
import type { Checked } from './contract.ts';
import { createTenant } from './integrationRows.ts';
import { createLocalApi, WEBHOOK_KEY } from './localApi.ts';
import { createHook } from './webhooks.ts';

/** What the api answered while a server is away. */
export interface AnswerWhileAway {
  path: string;
  status: number;
  retryAfter: string | null;
  /** ms from the request to its answer */
  waitedMs: number;
}

/** Requests that are sent together: all at once would measure how long one processor takes for so many. */
const AT_ONCE = 8;

const nowhere = (port: number): string => `postgres://nobody:x@127.0.0.1:${port}/nothing`;

async function timed(path: string, ask: () => Promise<Checked>): Promise<AnswerWhileAway> {
  const startedAt = performance.now();
  const { status, headers } = await ask();
  const waitedMs = performance.now() - startedAt;
  return { path, status, retryAfter: headers.get('Retry-After'), waitedMs };
}

/** Every operation, the pages of a consent, the receiver and `/readyz`, while nobody listens where Postgres should be. */
export async function askWithoutPostgres(): Promise<{
  answers: AnswerWhileAway[];
  live: AnswerWhileAway;
  log: string;
}> {
  const down = createLocalApi({ databaseUrl: nowhere(await freePort()) });
  const samples: Sample[] = keyedOperations().map((operation) => sampleOf(operation));
  samples.push({ method: 'GET', path: '/v1/oauth/callback?state=x&code=y', body: undefined });
  samples.push({ method: 'GET', path: '/v1/oauth/connect?completion=x', body: undefined });
  const asked = samples.map((sample) => () => timed(sample.path, () => callRaw(sample, { send: down.send })));
  const raw = (method: string, path: string, init: RequestInit) => () =>
    timed(path, () => world.contract.call(down.send, method, path, init));
  asked.push(
    raw('POST', '/v1/oauth/connect', {
      headers: { 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'completion=x',
    }),
  );
  const hook = await createHook(world.admin, await createTenant(world.admin, 'active'), { key: WEBHOOK_KEY });
  asked.push(raw('POST', hook.path, hook.delivery('repo:push', '{}')));
  const probe = (path: string) =>
    timed(path, async () => {
      const { status, headers } = await down.send(path, {});
      return { status, headers, body: undefined };
    });
  try {
    const answers: AnswerWhileAway[] = [];
    for (let at = 0; at < asked.length; at += AT_ONCE) {
      answers.push(...(await Promise.all(asked.slice(at, at + AT_ONCE).map((ask) => ask()))));
    }
    answers.push(await probe('/readyz'));
    return { answers, live: await probe('/livez'), log: down.log.join('') };
  } finally {
    await down.close();
  }
}

/** A command over a Postgres, then one over a Temporal, that takes connections and never answers. */
export async function askOverSilentServers(): Promise<AnswerWhileAway[]> {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const { body: draft } = await call('POST', '/v1/integrations', {});
  const path = `/v1/integrations/${draft.id}/create`;
  const apis = [
    createLocalApi({ databaseUrl: nowhere(port) }),
    createLocalApi({ databaseUrl: world.stack.database.apiUrl, temporalAddress: `127.0.0.1:${port}` }),
  ];
  try {
    const answers: AnswerWhileAway[] = [];
    for (const { send } of apis) {
      answers.push(await timed(path, () => call('POST', path, { name: 'x' }, { send })));
    }
    return answers;
  } finally {
    silent.close();
    await Promise.all(apis.map((api) => api.close()));
  }
}

/** Commands, a read and `/readyz`, while nobody listens where Temporal should be. */
export async function askWithoutTemporal(): Promise<{
  commands: AnswerWhileAway[];
  read: { status: number };
  ready: { status: number };
}> {
  const { send, close } = createLocalApi({
    databaseUrl: world.stack.database.apiUrl,
    temporalAddress: `127.0.0.1:${await freePort()}`,
  });
  try {
    const { body: draft } = await call('POST', '/v1/integrations', {});
    const mine = `/v1/integrations/${draft.id}`;
    const commands: AnswerWhileAway[] = [];
    for (const [method, path, body] of [
      ['PUT', `${mine}/credential`, { kind: 'basic', username: 'a', password: 'b' }],
      ['POST', '/v1/connection-checks', { kind: 'basic', username: 'a', password: 'b' }],
      ['POST', `${mine}/create`, { name: 'x' }],
      ['DELETE', mine, undefined],
    ] as const) {
      commands.push(await timed(path, () => call(method, path, body, { send })));
    }
    const read = await call('GET', mine, undefined, { send });
    const ready = await send('/readyz', {});
    return { commands, read, ready };
  } finally {
    await close();
  }
}
