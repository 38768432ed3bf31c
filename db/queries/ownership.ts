import { sql, type SQL } from 'drizzle-orm';

/**
 * Whether the integration (its id), which imports the repository `r`, becomes the one that fetches it: nobody does; or who
 * does is being removed; or brings in nothing that this one would not keep current, and less than it does, or can fetch
 * nothing (it needs a credential, or does not see the repository any more).
 *
 * An update that asks this must have locked its rows before, by their ids alone: where it judges a row again that somebody
 * changed meanwhile, Postgres 18.4 crashes on these subqueries (docs/decisions/tenants-kept-apart-by-the-database.md).
 */
export const yieldsTo = (integration: SQL) => sql`(r.integration_id is null or exists (
  select from integrations owner
  where owner.organization_id = r.organization_id and owner.id = r.integration_id
    and (owner.state = 'disconnecting' or exists (
      select from integrations mine
      where mine.organization_id = r.organization_id and mine.id = ${integration}
        and owner.services <@ mine.services
        and (owner.state = 'needs_credential' or not mine.services <@ owner.services or not exists (
          select from integration_repositories seen
          where seen.organization_id = r.organization_id and seen.integration_id = owner.id
            and seen.repository_id = r.id and seen.presence = 'present'))))))`;
