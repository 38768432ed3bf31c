import { insertEvent } from '../../db/queries/events.ts';
import { markAbsent, type Suspect } from '../../db/queries/presence.ts';
import type { Presence } from '../../workflows/words.ts';
import { FeatureGone, Forbidden, ScopeMissing } from '../bitbucket/errors.ts';
import { type AskingByUuid, isRefusal, storeByUuid } from '../discovery/storeByUuid.ts';
import { storeFound } from '../discovery/storeRepositories.ts';

export interface LookUp extends AskingByUuid {
  suspect: Suspect;
}

/**
 * Asks for a repository that two lists lack, by its uuid alone: wherever it is now, its answer says. Found, it is stored as
 * any other. Otherwise it is marked: 403 says that it is there, unless it is the credential that may look at none; 404 is one answer for deleted and for hidden from the
 * account (facts 4.2), and then only another integration that still sees it tells the difference. Throws the client's errors.
 */
export async function lookUp({ suspect, ...asking }: LookUp): Promise<void> {
  const { database, integration } = asking;
  let presence: Exclude<Presence, 'present'>;
  try {
    // What cannot be read is there all the same: nothing is marked.
    await storeByUuid(asking, suspect.providerUuid);
    return;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (error instanceof ScopeMissing) return;
    const isThere = error instanceof Forbidden || error instanceof FeatureGone || suspect.seenByAnother;
    presence = isThere ? 'no_access' : 'gone';
  }
  const { repositoryId, fullName: full_name } = suspect;
  await storeFound(database, integration, async (tx) => {
    if (!(await markAbsent(tx, integration, { repositoryId, presence }))) return;
    const type = `repository_${presence}`;
    await insertEvent(tx, { ...integration, type, repositoryId, data: { full_name } });
  });
}
