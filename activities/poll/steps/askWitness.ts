import { listKeptOf, readWitness } from '../../../db/queries/poll/keptRepositories.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { BitbucketError } from '../../bitbucket/errors.ts';
import { mayPass } from '../../bitbucket/mayPass.ts';
import { isShown } from '../../discovery/storeByUuid.ts';
import type { Place } from '../place.ts';
import {
  beginPullRequests,
  hint,
  inTransaction,
  move,
  nextWorkspace,
  type PollContext,
  type PollStep,
  REFUSALS,
} from '../pollContext.ts';

/** One may have gone by itself. */
const WITNESSES = 2;

/**
 * Behind a list of repositories that is not given: looks one of them up. Where it is there, git is asked of each, which costs
 * none of the allowance of the API. Where none of the witnesses is, the workspace itself is refused, as discoveries find out:
 * nobody is told, since git would be refused too, and each repository then looked up by its uuid.
 */
export async function askWitness(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<PollStep> {
  const of = { ...context.integration, workspaceId: workspace.workspaceId };
  const uuid = await inTransaction(context, (tx) => readWitness(tx, { ...of, at: place.pages }));
  if (uuid === undefined || place.pages === WITNESSES) return move(await nextWorkspace(context, place));
  if (!(await isThere(context, uuid)))
    return { place: { ...place, pages: place.pages + 1 }, requests: 1, found: 0 };
  const kept = await inTransaction(context, (tx) => listKeptOf(tx, of));
  const found = context.services.includes('repositories') ? await hint(context, kept, ['repositories']) : 0;
  return { place: await beginPullRequests(context, place, workspace), requests: 1, found };
}

/** Trouble that says nothing about the repository does not keep git from being asked. */
async function isThere(context: PollContext, uuid: string): Promise<boolean> {
  const { database, client, integration, credential, signal, asker } = context;
  try {
    return await isShown({ database, client, integration, request: { credential, signal, asker } }, uuid);
  } catch (error) {
    if (mayPass(error) || (error instanceof BitbucketError && REFUSALS.has(error.type))) return true;
    throw error;
  }
}
