import { sql } from 'drizzle-orm';
import { BY_URGENCY } from '../../workflows/words.ts';
import { isAbsent } from './presence.ts';

const urgency = sql`${`{${BY_URGENCY.join(',')}}`}::text[]`;

/** How the repository `r` fares, as a word: the rule is `BY_URGENCY`. */
export const repositoryHealth = sql`case
  when exists (select from repository_syncs y where y.organization_id = r.organization_id
    and y.repository_id = r.id and y.failing_since is not null) then 'failed'
  else coalesce((select s.state from streams s
    where s.organization_id = r.organization_id and s.repository_id = r.id
    order by array_position(${urgency}, s.state) limit 1), 'never') end`;

/** Whether a repository of the integration has failed. What is gone or out of reach is no failure: it is told as such. */
export const someFail = (integrationId: unknown) => sql<boolean>`(
  exists (select from streams s join repositories r on r.organization_id = s.organization_id and r.id = s.repository_id
    where s.state = 'failed' and r.integration_id = ${integrationId} and not ${isAbsent})
  or exists (select from repository_syncs y
    join repositories r on r.organization_id = y.organization_id and r.id = y.repository_id
    where y.failing_since is not null and r.integration_id = ${integrationId} and not ${isAbsent}))`;

/** Whether every imported repository of the integration has failed. */
export const allFail = (integrationId: unknown) => sql<boolean>`(
  exists (select from repositories r where r.integration_id = ${integrationId} and r.first_imported_at is not null
    and not ${isAbsent})
  and not exists (select from repositories r where r.integration_id = ${integrationId}
    and r.first_imported_at is not null and not ${isAbsent} and ${repositoryHealth} <> 'failed'))`;
