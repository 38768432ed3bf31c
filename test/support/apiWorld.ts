import postgres from 'postgres';
import { createOperator, type Operator } from '../../scripts/apiKeys/operator.ts';
import { isKeyed, type Sample } from './apiSamples.ts';
import { type Checked, type Contract, createContract, type Send } from './contract.ts';
import { createLocalApi } from './localApi.ts';
import { createStack, type Stack } from './stack.ts';

/** An installation with keys of every kind, and a contract that every answer is held to. */
export interface ApiWorld {
  stack: Stack;
  contract: Contract;
  operator: Operator;
  /** the superuser's connection: for circumstances that no request makes */
  admin: postgres.Sql;
  /** the same api without a socket and without workers */
  local: ReturnType<typeof createLocalApi>;
  keys: Record<'admin' | 'manager' | 'viewer' | 'revoked' | 'expired' | 'foreign', string>;
}

/** Filled by `openWorld`; a test file has a process, and so a world, of its own. */
export const world = {} as ApiWorld;

export async function openWorld(): Promise<void> {
  world.stack = await createStack({ simulator: { era: 'guide', size: 'tiny' } });
  const { stack } = world;
  world.contract = createContract((await (await fetch(`${stack.apiUrl}/openapi.json`)).json()) as never);
  world.operator = createOperator(stack.database.ownerUrl);
  world.admin = postgres(stack.database.superuserUrl, { max: 1, onnotice: () => {} });
  world.local = createLocalApi({ databaseUrl: stack.database.apiUrl });
  await world.local.untilReady();
  const organization = stack.organizationId;
  const make = async (wanted: { role: 'admin' | 'manager' | 'viewer'; expiresInDays?: number }) =>
    world.operator.createKey({ organization, ...wanted });
  const revoked = await make({ role: 'admin' });
  await world.operator.revokeKey(revoked.prefix);
  world.keys = {
    admin: stack.apiKey,
    manager: (await make({ role: 'manager' })).key,
    viewer: (await make({ role: 'viewer' })).key,
    revoked: revoked.key,
    expired: (await make({ role: 'admin', expiresInDays: 1e-9 })).key,
    foreign: (await stack.addOrganization()).apiKey,
  };
}

export async function closeWorld(): Promise<void> {
  const { local, operator, admin, stack } = world as Partial<ApiWorld>;
  await local?.close();
  await operator?.end();
  await admin?.end();
  await stack?.close();
}

/** The same api with the stack's workers, which answers 202 to a command only when it takes longer than this; end it with `close`. */
export async function createPatientApi(commandTimeoutMs: number): Promise<ReturnType<typeof createLocalApi>> {
  const { database, taskQueue } = world.stack;
  const patient = createLocalApi({ databaseUrl: database.apiUrl, taskQueue, commandTimeoutMs });
  await patient.untilReady();
  return patient;
}

/** Over a socket to the api's own process. */
export const http: Send = (path, init) => fetch(`${world.stack.apiUrl}${path}`, init);

export interface CallOptions {
  /** the admin's unless given; null: none */
  key?: string | null;
  send?: Send;
  headers?: Record<string, string>;
}

export const call = (
  method: string,
  path: string,
  body?: unknown,
  options: CallOptions = {},
): Promise<Checked> =>
  callRaw({ method, path, body: body === undefined ? undefined : JSON.stringify(body) }, options);

/** The body as these very characters. */
export function callRaw({ method, path, body }: Sample, options: CallOptions = {}): Promise<Checked> {
  const { key = world.keys.admin, send = http, headers = {} } = options;
  return world.contract.call(send, method, path, {
    headers: {
      ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

export const keyedOperations = () => world.contract.operations.filter(isKeyed);
