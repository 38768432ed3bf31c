import { endMembers, rememberAuthors, rememberMembers } from '../../../db/queries/poll/authors.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { segment } from '../../bitbucket/connectionCheck/target.ts';
import { readPage, readRecords } from '../../bitbucket/paging.ts';
import { memberSchema } from '../../bitbucket/schemas.ts';
import type { Place } from '../place.ts';
import {
  ask,
  chooseMethod,
  following,
  inTransaction,
  placeOf,
  type PollContext,
  type PollStep,
} from '../pollContext.ts';

/** A page of the workspace's members; behind the last one, or where the list is refused, stored authors join them. */
export async function readMembers(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<PollStep> {
  const of = { ...context.integration, workspaceId: workspace.workspaceId };
  const path = `/workspaces/${segment(workspace.slug)}/members?pagelen=100`;
  const answer = await ask(context, placeOf(place, path));
  const page = answer === undefined ? undefined : readPage(answer, path);
  if (answer !== undefined && page !== undefined) {
    const uuids = readRecords(memberSchema, answer, page).records.flatMap(
      ({ value }) => value.user?.uuid ?? [],
    );
    await inTransaction(context, (tx) => rememberMembers(tx, { ...of, uuids }));
    const next = following(place, page, path);
    if (next !== undefined) return { place: next, requests: 1, found: 0 };
  }
  await inTransaction(context, async (tx) => {
    await rememberAuthors(tx, of);
    await endMembers(tx, of);
  });
  return { place: await chooseMethod(context, place), requests: 1, found: 0 };
}
