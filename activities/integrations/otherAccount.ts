import type { ConnectedAccount } from '../../db/schema/integrations.ts';
import { unescapeText } from '../../db/text.ts';

/** Whether a credential is of another account than the one before. Access tokens have no account: they go by their place. */
export const isOther = (before: ConnectedAccount, now: ConnectedAccount): boolean =>
  before.uuid === null || now.uuid === null
    ? before.kind !== now.kind || before.name !== now.name
    : before.uuid !== now.uuid;

/** As Bitbucket says it; stored it is escaped. */
export const inWords = (account: ConnectedAccount): ConnectedAccount => ({
  ...account,
  name: unescapeText(account.name),
});
