import type { Transaction } from '../../db/client.ts';
import {
  type ChangedRepository,
  rememberNames,
  type Scope,
  type SeenRepository,
  wasDiscovered,
} from '../../db/queries/discovery.ts';
import { insertEvent, insertRepositoryEvents } from '../../db/queries/events.ts';
import { readFullNames } from '../../db/queries/presence.ts';

/** What a list showed that was not known, in the transaction that stores it. */
export interface Shown {
  changed: readonly ChangedRepository[];
  seen: readonly SeenRepository[];
}

/**
 * Keeps old names, and tells the organization's feed what came, came back, got another name or another place. What a first
 * discovery finds is all new: the feed tells only how much (`discovery_done`).
 */
export async function tellChanges(
  tx: Transaction,
  integration: Scope,
  { changed, seen }: Shown,
): Promise<void> {
  const renamed = changed.filter(({ fullName, oldFullName }) => fullName !== oldFullName);
  if (renamed.length > 0) await rememberNames(tx, integration, renamed);
  await insertRepositoryEvents(tx, integration, changed.flatMap(changeOf));
  if (seen.length === 0) return;
  const names = await readFullNames(
    tx,
    seen.map(({ id }) => id),
  );
  const tellsNew = seen.some(({ before }) => before === null) && (await wasDiscovered(tx, integration));
  await insertRepositoryEvents(
    tx,
    integration,
    seen.flatMap(({ id, before }) => {
      const full_name = names.get(id);
      if (before === null) {
        return tellsNew ? [{ type: 'repository_found', repositoryId: id, data: { full_name } }] : [];
      }
      return before === 'present'
        ? []
        : [{ type: 'repository_back', repositoryId: id, data: { full_name, was: before } }];
    }),
  );
  const asked = seen.filter((one) => one.asked).length;
  if (asked === 0) return;
  await insertEvent(tx, { ...integration, type: 'vanished_seen_again', data: { repositories: asked } });
}

/** Another workspace or project is a move, and the name that follows from it no news of its own. */
function changeOf(one: ChangedRepository): Parameters<typeof insertRepositoryEvents>[2][number][] {
  const { id: repositoryId, fullName, oldFullName, workspaceId, oldWorkspaceId } = one;
  const hasMoved =
    workspaceId !== oldWorkspaceId || (one.oldProjectId !== null && one.projectId !== one.oldProjectId);
  if (hasMoved) {
    const from = { full_name: oldFullName, workspace_id: oldWorkspaceId, project_id: one.oldProjectId };
    const to = { full_name: fullName, workspace_id: workspaceId, project_id: one.projectId };
    return [{ type: 'repository_moved', repositoryId, data: { from, to } }];
  }
  if (fullName === oldFullName) return [];
  return [{ type: 'repository_renamed', repositoryId, data: { from: oldFullName, to: fullName } }];
}
