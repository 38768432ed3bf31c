import { sql } from 'drizzle-orm';
import { STREAM_STATES } from '../../workflows/words.ts';

const notFailed = sql`${`{${STREAM_STATES.filter((state) => state !== 'failed').join(',')}}`}::text[]`;

/** How the repository `r` fares, as a word. */
export const healthOf = sql`(select h.state from repository_health h
  where h.organization_id = r.organization_id and h.repository_id = r.id)`;

/** Whether a repository of the integration has failed. */
export const someFail = (integrationId: unknown) => sql<boolean>`exists (
  select from repository_health h where h.integration_id = ${integrationId} and h.state = 'failed')`;

/** Whether every imported repository of the integration has failed. */
export const allFail = (integrationId: unknown) => sql<boolean>`(
  exists (select from repository_health h where h.integration_id = ${integrationId} and h.imported
    and h.state = 'failed')
  and not exists (select from repository_health h where h.integration_id = ${integrationId} and h.imported
    and h.state = any (${notFailed})))`;
