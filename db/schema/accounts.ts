import { pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { instant, organizationId } from './columns.ts';

/** Bitbucket accounts as last seen: authors, reviewers, commenters. */
export const accounts = pgTable(
  'accounts',
  {
    organizationId: organizationId(),
    /** `{uuid}`, as Bitbucket writes it */
    providerUuid: text('provider_uuid').notNull(),
    kind: text('kind'),
    displayName: text('display_name'),
    nickname: text('nickname'),
    accountId: text('account_id'),
    observedAt: instant('observed_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.providerUuid] })],
);
