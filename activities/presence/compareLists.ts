import type { Transaction } from '../../db/client.ts';
import type { Scope } from '../../db/queries/discovery.ts';
import { insertEvent } from '../../db/queries/events.ts';
import * as queries from '../../db/queries/presence.ts';
import { decideList, type VanishingRules } from './decideList.ts';

/** What a discovery has read to its end. */
export interface ReadLists {
  /** when it began, by Postgres' clock */
  since: string;
  /** the list of workspaces was read to its end, and was not empty */
  allWorkspaces: boolean;
  /** of the only project whose repositories were listed; undefined: all of each workspace were */
  projectKey: string | undefined;
}

/**
 * Compares what a discovery has listed with what was there before, in one transaction at its end, so that what moved from
 * one workspace to another has been seen. Repeatable. What remains to be looked up one by one `nextSuspect` finds.
 */
export async function compareLists(
  tx: Transaction,
  integration: Scope,
  { since, allWorkspaces, projectKey }: ReadLists,
  rules: VanishingRules,
): Promise<void> {
  if (allWorkspaces) {
    const unlisted = { since, goneAfterMs: rules.goneAfterMs };
    for (const workspace of await queries.markUnlisted(tx, integration, unlisted)) {
      await insertEvent(tx, { ...integration, type: 'workspace_no_access', data: told(workspace) });
    }
    const moved = await queries.selectMovedAway(tx, integration, { since });
    // Of no list, so there is no share of it to doubt; the look-up decides.
    const { fresh, suspects } = decideList(
      { known: Number.POSITIVE_INFINITY, missing: moved, asked: false },
      rules,
    );
    await queries.noteMissing(tx, integration, { repositoryIds: fresh, since });
    await queries.suspect(tx, integration, { repositoryIds: suspects, since });
  }
  for (const workspace of await queries.selectListed(tx, integration, { since, projectKey })) {
    const { workspaceId, known, asked } = workspace;
    const missing = await queries.selectMissing(tx, integration, { workspaceId, since, projectKey });
    const { fresh, suspects, ask } = decideList({ known, missing, asked }, rules);
    await queries.noteMissing(tx, integration, { repositoryIds: fresh, since });
    await queries.suspect(tx, integration, { repositoryIds: suspects, since });
    const repositories = await queries.askAbout(tx, integration, ask);
    if (repositories === 0) continue;
    const data = { ...told({ ...workspace, repositories }), known };
    await insertEvent(tx, { ...integration, type: 'repositories_vanished', data });
  }
}

const told = ({ workspaceId, slug, repositories }: queries.UnlistedWorkspace) => ({
  workspace_id: workspaceId,
  workspace: slug,
  repositories,
});
