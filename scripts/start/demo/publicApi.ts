import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** What the demo reads of the public API's answers; the whole is in /openapi.json. */
const finding = z.object({ code: z.string(), message: z.string(), remedy: z.string() });
const reportSchema = z.object({
  account: z.object({ name: z.string(), kind: z.string() }).nullable(),
  services: z.array(z.object({ service: z.string(), status: z.string() })),
  webhooks: z.array(z.object({ workspace: z.string(), status: z.string() })),
  visible: z
    .object({ workspaces: z.number(), projects: z.number().nullable(), repositories: z.number() })
    .nullable(),
  findings: z.array(finding.extend({ severity: z.string() })),
});
const checkSchema = z.object({
  id: z.string(),
  state: z.string(),
  verdict: z.string().nullable(),
  report: reportSchema.nullable(),
});
const integrationSchema = z.object({
  id: z.string(),
  state: z.string(),
  name: z.string().nullable(),
  services: z.array(z.string()),
  discovery: z.object({ state: z.string(), last_at: z.string().nullable(), error: finding.nullable() }),
});
const detailSchema = integrationSchema.extend({
  discovered: z.object({ workspaces: z.number(), projects: z.number(), repositories: z.number() }),
});
const importSchema = z.object({
  id: z.string(),
  state: z.string(),
  records: z.number(),
  requests: z.number(),
  created_at: z.string(),
  finished_at: z.string().nullable(),
});
const importRepositorySchema = z.object({
  repository_id: z.string(),
  full_name: z.string(),
  state: z.string(),
  error: finding.nullable(),
  waiting: z.object({ until: z.string().nullable(), reason: z.string().nullable() }).nullable(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  streams: z.array(
    z.object({
      stream: z.string(),
      state: z.string(),
      stored: z.number(),
      expected: z.number().nullable(),
      quarantined: z.number(),
      requests: z.number(),
      started_at: z.string().nullable(),
      finished_at: z.string().nullable(),
    }),
  ),
});

const webhooksSchema = z.object({
  state: z.string(),
  last_round_at: z.string().nullable(),
  workspaces: z.object({ webhook: z.number(), polling: z.number() }),
});
const syncSchema = z
  .object({
    state: z.string().nullable(),
    last_success_at: z.string().nullable(),
    last_error: finding.nullable(),
  })
  .nullable();

export type Webhooks = z.infer<typeof webhooksSchema>;
export type Sync = z.infer<typeof syncSchema>;
export type Check = z.infer<typeof checkSchema>;
export type Integration = z.infer<typeof integrationSchema>;
export type IntegrationDetail = z.infer<typeof detailSchema>;
export type Import = z.infer<typeof importSchema>;
export type ImportRepository = z.infer<typeof importRepositorySchema>;

/** While a worker or the api is started again. */
const MAX_TRIES = 12;

const problem = z.object({ code: z.string(), detail: z.string(), fix: z.string().optional() });

export interface PublicApi {
  createIntegration(): Promise<Integration>;
  /** undefined: there is none */
  readIntegration(id: string): Promise<IntegrationDetail | undefined>;
  checkConnection(credential: object): Promise<Check>;
  startOauth(id: string, returnUrl: string): Promise<string>;
  completeOauth(id: string, completion: string): Promise<Check>;
  create(id: string, name: string): Promise<Integration>;
  discover(id: string): Promise<void>;
  listImports(id: string): Promise<Import[]>;
  startImport(id: string): Promise<Import>;
  readImport(importId: string): Promise<Import>;
  importRepositories(importId: string): Promise<ImportRepository[]>;
  registerWebhooks(id: string): Promise<void>;
  readWebhooks(id: string): Promise<Webhooks>;
  /** Answers the services that are on then. */
  setServices(id: string, services: readonly string[]): Promise<string[]>;
  /** Its id by its full name; undefined: the integration does not see it */
  findRepository(id: string, fullName: string): Promise<string | undefined>;
  /** The number of its oldest pull request. */
  firstPullRequest(repositoryId: string): Promise<number | undefined>;
  pullRequestTitle(repositoryId: string, number: number): Promise<string>;
  sync(repositoryId: string): Promise<void>;
  /** null: it was never brought up to date since its import */
  lastSync(repositoryId: string): Promise<Sync>;
}

interface Reply {
  readonly status: number;
  readonly location: string | null;
  readonly body: unknown;
}

/** The product backend's view: nothing but HTTP and a key. Throws an Error with the problem's text and fix. */
export function createPublicApi(baseUrl: string, key: string): PublicApi {
  /** A 503 says that the same request may be sent again, or the first is under way; its key has it carried out once. */
  async function call(method: string, path: string, body?: unknown): Promise<Reply> {
    const idempotencyKey = randomUUID();
    for (let tries = 1; ; tries += 1) {
      const answer = await send(method, path, idempotencyKey, body).catch(() => undefined);
      if (answer !== undefined && !(await isToRepeat(answer))) return read(method, path, answer);
      if (tries === MAX_TRIES)
        throw new Error(`${method} ${path} was not answered after ${MAX_TRIES} tries.`);
      await sleep(Number(answer?.headers.get('retry-after') ?? 1) * 1_000);
    }
  }

  /** Also where the connection broke while the first one was still being answered. */
  async function isToRepeat(answer: Response): Promise<boolean> {
    if (answer.status !== 409) return answer.status === 503;
    const told = problem.safeParse(await answer.clone().json());
    return told.success && told.data.code === 'request_under_way';
  }

  const send = (method: string, path: string, idempotencyKey: string, body: unknown): Promise<Response> =>
    fetch(`${baseUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        'acting-user': 'demo@example.com',
        ...(method === 'GET' ? {} : { 'idempotency-key': idempotencyKey }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  async function read(method: string, path: string, answer: Response): Promise<Reply> {
    const text = await answer.text();
    const parsed: unknown = text === '' ? null : JSON.parse(text);
    if (answer.status >= 400 && answer.status !== 404) {
      const told = problem.safeParse(parsed);
      const why = told.success ? `${told.data.detail} ${told.data.fix ?? ''}` : text.slice(0, 300);
      throw new Error(`${method} ${path} answered ${answer.status}: ${why}`);
    }
    return { status: answer.status, location: answer.headers.get('location'), body: parsed };
  }

  /** A check that takes longer than an answer may wait is read again at its Location. */
  async function finishedCheck(first: Reply): Promise<Check> {
    let reply = first;
    for (;;) {
      const check = checkSchema.parse(reply.body);
      if (check.state === 'done') return check;
      await sleep(300);
      reply = await call('GET', first.location ?? `/v1/connection-checks/${check.id}`);
    }
  }

  return {
    createIntegration: async () => integrationSchema.parse((await call('POST', '/v1/integrations', {})).body),
    async readIntegration(id) {
      const { status, body } = await call('GET', `/v1/integrations/${id}`);
      return status === 404 ? undefined : detailSchema.parse(body);
    },
    checkConnection: async (credential) =>
      finishedCheck(await call('POST', '/v1/connection-checks', credential)),
    async startOauth(id, returnUrl) {
      const { body } = await call('POST', `/v1/integrations/${id}/oauth`, { return_url: returnUrl });
      return z.object({ authorize_url: z.string() }).parse(body).authorize_url;
    },
    completeOauth: async (id, completion) =>
      finishedCheck(await call('POST', `/v1/integrations/${id}/oauth/complete`, { completion })),
    create: async (id, name) =>
      integrationSchema.parse((await call('POST', `/v1/integrations/${id}/create`, { name })).body),
    discover: async (id) => void (await call('POST', `/v1/integrations/${id}/discover`, {})),
    async listImports(id) {
      const { body } = await call('GET', `/v1/integrations/${id}/imports`);
      return z.object({ data: z.array(importSchema) }).parse(body).data;
    },
    startImport: async (id) =>
      importSchema.parse((await call('POST', `/v1/integrations/${id}/imports`, { all: true })).body),
    readImport: async (importId) => importSchema.parse((await call('GET', `/v1/imports/${importId}`)).body),
    async importRepositories(importId) {
      const all: ImportRepository[] = [];
      let cursor: string | null = null;
      do {
        const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const { body } = await call('GET', `/v1/imports/${importId}/repositories?limit=100${query}`);
        const page = z
          .object({ data: z.array(importRepositorySchema), next_cursor: z.string().nullable() })
          .parse(body);
        all.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return all;
    },
    registerWebhooks: async (id) => void (await call('PUT', `/v1/integrations/${id}/webhooks`, {})),
    readWebhooks: async (id) =>
      webhooksSchema.parse((await call('GET', `/v1/integrations/${id}/webhooks`)).body),
    setServices: async (id, services) =>
      integrationSchema.parse((await call('PATCH', `/v1/integrations/${id}`, { services })).body).services,
    async findRepository(id, fullName) {
      const query = `search=${encodeURIComponent(fullName)}&limit=200`;
      const { body } = await call('GET', `/v1/integrations/${id}/repositories?${query}`);
      const { data } = z
        .object({ data: z.array(z.object({ id: z.string(), full_name: z.string() })) })
        .parse(body);
      return data.find(({ full_name }) => full_name === fullName)?.id;
    },
    async firstPullRequest(repositoryId) {
      const { body } = await call('GET', `/v1/repositories/${repositoryId}/pull-requests?limit=1`);
      return z.object({ data: z.array(z.object({ number: z.number() })) }).parse(body).data[0]?.number;
    },
    async pullRequestTitle(repositoryId, number) {
      const { body } = await call('GET', `/v1/repositories/${repositoryId}/pull-requests/${number}`);
      return z.object({ title: z.string() }).parse(body).title;
    },
    sync: async (repositoryId) => void (await call('POST', `/v1/repositories/${repositoryId}/sync`, {})),
    async lastSync(repositoryId) {
      const { body } = await call('GET', `/v1/repositories/${repositoryId}`);
      return z.object({ sync: syncSchema }).parse(body).sync;
    },
  };
}
