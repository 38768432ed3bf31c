import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll } from 'vitest';
import {
  createQuarantineActivities,
  type QuarantineOptions,
} from '../../../activities/quarantine/quarantine.ts';
import { createSituation, type Situation } from '../streams/situation.ts';

/** One repository that an import has begun to read, and retries of what of it is in quarantine. */
export interface RetryBench {
  readonly situation: Situation;
  readonly repositoryId: string;
  readonly importId: string;
  readonly integrationId: string;
  /** Stores a retry as a request does; its id. */
  newRetry: (filter?: object) => Promise<string>;
  /** As the workflow does: chunk after chunk; how many it took. */
  work: (retryId: string, options?: Partial<QuarantineOptions>) => Promise<number>;
  retryRow: (id: string) => Promise<Record<string, unknown> | undefined>;
  count: (query: ReturnType<typeof sql>) => Promise<number>;
  /** How many records are in quarantine. */
  left: () => Promise<number>;
}

export const asActivity = <Answer>(call: () => Promise<Answer>): Promise<Answer> =>
  new MockActivityEnvironment().run(call);

/** Made before the tests of a file, and closed behind them. */
export function useRetryBench(): RetryBench {
  let situation: Situation;
  let repositoryId: string;
  let importId: string;
  let integrationId: string;
  beforeAll(async () => {
    situation = await createSituation();
    repositoryId = await situation.repository('acme-rockets/telemetry');
    const input = await situation.startImport(repositoryId);
    ({ importId, integrationId } = input);
    await situation.rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id, last_seen_at)
      values (${situation.organizationId}, ${integrationId}, ${repositoryId}, now())`);
    await situation.rows(sql`insert into import_streams (organization_id, import_id, repository_id, stream, state, started_at)
      values (${situation.organizationId}, ${importId}, ${repositoryId}, 'pull_requests', 'healthy', now())`);
    await situation.rows(sql`insert into streams (organization_id, repository_id, stream)
      select ${situation.organizationId}, ${repositoryId}, unnest(array['pull_requests', 'pull_request_activity', 'pull_request_comments'])`);
  });
  afterAll(() => situation?.close());

  const count = async (query: ReturnType<typeof sql>): Promise<number> =>
    Number((await situation.rows(query))[0]?.['n']);

  return {
    get situation() {
      return situation;
    },
    get repositoryId() {
      return repositoryId;
    },
    get importId() {
      return importId;
    },
    get integrationId() {
      return integrationId;
    },
    async newRetry(filter = {}) {
      const id = uuid();
      await situation.rows(sql`insert into quarantine_retries (id, organization_id, integration_id, filter)
        values (${id}, ${situation.organizationId}, ${integrationId}, ${JSON.stringify(filter)}::jsonb)`);
      return id;
    },
    async work(retryId, options = {}) {
      const activities = createQuarantineActivities({ database: situation.database, ...options });
      const input = { organizationId: situation.organizationId, integrationId, retryId };
      for (let chunks = 1; ; chunks += 1) {
        if (!(await asActivity(() => activities.retryQuarantined(input))).more) {
          await activities.finishQuarantineRetry({ ...input, error: null });
          return chunks;
        }
      }
    },
    async retryRow(id) {
      const [row] = await situation.rows(
        sql`select state, tried, stored from quarantine_retries where id = ${id}`,
      );
      return row;
    },
    count,
    left: () => count(sql`select count(*)::int as n from quarantine`),
  };
}
