import type { z } from 'zod';
import {
  autoImportSchema,
  type autoImportBody,
  type previewBody,
  previewSchema,
} from './schemas/autoImport.ts';
import { checkSchema } from './schemas/check.ts';
import { importCompletenessSchema, repositoryCompletenessSchema } from './schemas/completeness.ts';
import { quarantinedSchema, type retryBody, retrySchema } from './schemas/quarantine.ts';
import type { CredentialBody } from './schemas/credential.ts';
import { repositorySchema, workspaceSchema } from './schemas/discovered.ts';
import { estimateSchema } from './schemas/estimate.ts';
import { eventListSchema } from './schemas/event.ts';
import { integrationHealthSchema } from './schemas/health.ts';
import { importSchema } from './schemas/import.ts';
import { importDetailSchema } from './schemas/importDetail.ts';
import { importRepositorySchema } from './schemas/importRepository.ts';
import { integrationDetailSchema, integrationSchema } from './schemas/integration.ts';
import { providerSchema } from './schemas/provider.ts';
import { commitSchema, ticketSchema } from './schemas/records.ts';
import { pullRequestDetailSchema, pullRequestSchema } from './schemas/pullRequest.ts';
import { listOf } from './schemas/shared.ts';
import { type registerBody, upkeepSchema, webhooksSchema } from './schemas/webhooks.ts';
import { problemSchema } from './problem.ts';
import { startedOauth } from './schemas/oauth.ts';

export interface ApiClientOptions {
  /** e.g. `http://127.0.0.1:4400` */
  baseUrl: string;
  key: string;
  /** the platform's `fetch`, or a test's way to the app */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** A problem+json answer. Switch on `code`. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly problem: z.infer<typeof problemSchema>;

  constructor(problem: z.infer<typeof problemSchema>) {
    super(`${problem.status} ${problem.code}: ${problem.detail} ${problem.fix}`);
    this.problem = problem;
  }

  get code(): string {
    return this.problem.code;
  }
}

type Selection =
  | { repositories: string[] }
  | { projects: string[] }
  | { workspaces: string[] }
  | { all: true };
type Query = Record<string, string | number | boolean | undefined>;

const lists = {
  providers: listOf(providerSchema, 'ProviderList'),
  integrations: listOf(integrationSchema, 'IntegrationList'),
  workspaces: listOf(workspaceSchema, 'WorkspaceList'),
  repositories: listOf(repositorySchema, 'RepositoryList'),
  imports: listOf(importSchema, 'ImportList'),
  importRepositories: listOf(importRepositorySchema, 'ImportRepositoryList'),
  commits: listOf(commitSchema, 'CommitList'),
  pullRequests: listOf(pullRequestSchema, 'PullRequestList'),
  tickets: listOf(ticketSchema, 'TicketList'),
  quarantine: listOf(quarantinedSchema, 'QuarantineList'),
};

export type ApiClient = ReturnType<typeof createApiClient>;

/**
 * The API for TypeScript: answers are checked by the schemas that the api itself is built from, problems are thrown as
 * ApiProblem.
 *
 * @example
 * const api = createApiClient({ baseUrl, key, fetch });
 * const { id } = await api.createIntegration();
 */
export function createApiClient({ baseUrl, key, fetch: send }: ApiClientOptions) {
  async function request(
    method: string,
    path: string,
    body?: unknown,
    idempotencyKey?: string,
  ): Promise<unknown> {
    const response = await send(`${baseUrl}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${key}`,
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json: unknown = text === '' ? null : JSON.parse(text);
    if (!response.ok) throw new ApiProblem(problemSchema.parse(json));
    return json;
  }

  const withQuery = (path: string, query: Query = {}): string => {
    const search = new URLSearchParams(
      Object.entries(query).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] satisfies [string, string]],
      ),
    ).toString();
    return search === '' ? path : `${path}?${search}`;
  };
  const read = async <T>(schema: z.ZodType<T>, path: string, query?: Query): Promise<T> =>
    schema.parse(await request('GET', withQuery(path, query)));
  const integration = (id: string): string => `/v1/integrations/${id}`;

  return {
    providers: () => read(lists.providers, '/v1/providers'),
    checkConnection: async (credential: CredentialBody) =>
      checkSchema.parse(await request('POST', '/v1/connection-checks', credential)),
    connectionCheck: (id: string) => read(checkSchema, `/v1/connection-checks/${id}`),

    createIntegration: async () => integrationSchema.parse(await request('POST', '/v1/integrations', {})),
    integrations: (query?: Query) => read(lists.integrations, '/v1/integrations', query),
    integration: (id: string) => read(integrationDetailSchema, integration(id)),
    rename: async (id: string, name: string) =>
      integrationSchema.parse(await request('PATCH', integration(id), { name })),
    changeServices: async (id: string, services: string[]) =>
      integrationSchema.parse(await request('PATCH', integration(id), { services })),
    health: (id: string, query?: Query) => read(integrationHealthSchema, `${integration(id)}/health`, query),
    events: (query?: Query) => read(eventListSchema, '/v1/events', query),
    pause: async (id: string) =>
      integrationSchema.parse(await request('POST', `${integration(id)}/pause`, {})),
    resume: async (id: string) =>
      integrationSchema.parse(await request('POST', `${integration(id)}/resume`, {})),
    deleteDraft: async (id: string): Promise<void> => void (await request('DELETE', integration(id))),
    deleteIntegration: async (id: string, name: string) =>
      integrationSchema.parse(
        await request('DELETE', `${integration(id)}?confirm=${encodeURIComponent(name)}`),
      ),

    startOauth: async (id: string, returnUrl?: string) =>
      startedOauth.parse(
        await request(
          'POST',
          `${integration(id)}/oauth`,
          returnUrl === undefined ? {} : { return_url: returnUrl },
        ),
      ),
    completeOauth: async (id: string, completion: string) =>
      checkSchema.parse(await request('POST', `${integration(id)}/oauth/complete`, { completion })),
    submitCredential: async (id: string, credential: CredentialBody) =>
      checkSchema.parse(await request('PUT', `${integration(id)}/credential`, credential)),
    lastConnectionCheck: (id: string) => read(checkSchema, `${integration(id)}/connection-check`),
    activate: async (
      id: string,
      wanted: { name: string; services?: string[]; commit_source?: 'git' | 'api' },
    ) => integrationSchema.parse(await request('POST', `${integration(id)}/create`, wanted)),
    /** `since`: RFC 3339; reads an old range again */
    syncIntegration: async (id: string, wanted: { since?: string } = {}) =>
      integrationSchema.parse(await request('POST', `${integration(id)}/sync`, wanted)),
    webhooks: (id: string, query?: Query) => read(webhooksSchema, `${integration(id)}/webhooks`, query),
    registerWebhooks: async (
      id: string,
      how: z.input<typeof registerBody> = {},
      { idempotencyKey }: { idempotencyKey?: string } = {},
    ) => upkeepSchema.parse(await request('PUT', `${integration(id)}/webhooks`, how, idempotencyKey)),
    removeWebhooks: async (id: string) =>
      upkeepSchema.parse(await request('DELETE', `${integration(id)}/webhooks`)),
    discover: async (id: string) =>
      integrationSchema.parse(await request('POST', `${integration(id)}/discover`, {})),

    autoImport: (id: string) => read(autoImportSchema, `${integration(id)}/auto-import`),
    /** `version`: of the rules that were read */
    changeAutoImport: async (id: string, wanted: z.input<typeof autoImportBody>) =>
      autoImportSchema.parse(await request('PUT', `${integration(id)}/auto-import`, wanted)),
    previewAutoImport: async (id: string, wanted: z.input<typeof previewBody>, query?: Query) =>
      previewSchema.parse(
        await request('POST', withQuery(`${integration(id)}/auto-import/preview`, query), wanted),
      ),
    /** ids of all workspaces that are to be left out */
    excludeOwners: async (id: string, owners: string[]) =>
      integrationSchema.parse(await request('PATCH', integration(id), { excluded_owners: owners })),
    confirmVanished: async (id: string) =>
      integrationDetailSchema.parse(await request('POST', `${integration(id)}/vanished/confirm`, {})),
    keepVanished: async (id: string) =>
      integrationDetailSchema.parse(await request('POST', `${integration(id)}/vanished/keep`, {})),

    workspaces: (id: string, query?: Query) => read(lists.workspaces, `${integration(id)}/workspaces`, query),
    repositories: (id: string, query?: Query) =>
      read(lists.repositories, `${integration(id)}/repositories`, query),
    startImport: async (id: string, wanted: Selection & { mode?: 'changed' | 'full' }) =>
      importSchema.parse(await request('POST', `${integration(id)}/imports`, wanted)),
    estimateImport: async (id: string, wanted: Selection & { mode?: 'changed' | 'full' }) =>
      estimateSchema.parse(await request('POST', `${integration(id)}/imports`, { ...wanted, dry_run: true })),
    importEstimate: (id: string) => read(estimateSchema, `/v1/import-estimates/${id}`),
    imports: (id: string, query?: Query) => read(lists.imports, `${integration(id)}/imports`, query),
    import: (id: string) => read(importDetailSchema, `/v1/imports/${id}`),
    pauseImport: async (id: string) =>
      importSchema.parse(await request('POST', `/v1/imports/${id}/pause`, {})),
    resumeImport: async (id: string) =>
      importSchema.parse(await request('POST', `/v1/imports/${id}/resume`, {})),
    cancelImport: async (id: string) =>
      importSchema.parse(await request('POST', `/v1/imports/${id}/cancel`, {})),
    /** `repositories` left out: all that failed */
    retryFailed: async (id: string, wanted: { repositories?: string[] } = {}) =>
      importSchema.parse(await request('POST', `/v1/imports/${id}/retry-failed`, wanted)),
    importRepositories: (id: string, query?: Query) =>
      read(lists.importRepositories, `/v1/imports/${id}/repositories`, query),
    importCompleteness: (id: string) => read(importCompletenessSchema, `/v1/imports/${id}/completeness`),

    quarantine: (id: string, query?: Query) => read(lists.quarantine, `${integration(id)}/quarantine`, query),
    retryQuarantine: async (id: string, which: z.input<typeof retryBody> = {}) =>
      retrySchema.parse(await request('POST', `${integration(id)}/quarantine/retry`, which)),
    quarantineRetry: (id: string) => read(retrySchema, `/v1/quarantine-retries/${id}`),

    syncRepository: async (id: string, wanted: { services?: string[]; since?: string } = {}) =>
      repositorySchema.parse(await request('POST', `/v1/repositories/${id}/sync`, wanted)),
    repository: (id: string) => read(repositorySchema, `/v1/repositories/${id}`),
    deleteRepository: async (id: string, fullName: string) =>
      repositorySchema.parse(
        await request('DELETE', `/v1/repositories/${id}?confirm=${encodeURIComponent(fullName)}`),
      ),
    repositoryCompleteness: (id: string) =>
      read(repositoryCompletenessSchema, `/v1/repositories/${id}/completeness`),
    commits: (id: string, query?: Query) => read(lists.commits, `/v1/repositories/${id}/commits`, query),
    pullRequests: (id: string, query?: Query) =>
      read(lists.pullRequests, `/v1/repositories/${id}/pull-requests`, query),
    pullRequest: (id: string, number: number) =>
      read(pullRequestDetailSchema, `/v1/repositories/${id}/pull-requests/${number}`),
    tickets: (id: string, query?: Query) => read(lists.tickets, `/v1/repositories/${id}/tickets`, query),
  };
}
