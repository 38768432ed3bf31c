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
  type PollContext,
  type PollStep,
} from '../pollContext.ts';

/** A page of the workspace's members; behind the last one, or where the list is not given, stored authors join them. */
export async function readMembers(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<PollStep> {
  const of = { ...context.integration, workspaceId: workspace.workspaceId };
  const path = `/workspaces/${segment(workspace.slug)}/members?pagelen=100`;
  const given = await ask(context, place, path, (answer) => {
    const page = readPage(answer, path);
    const { records } = readRecords(memberSchema, answer, page);
    return {
      uuids: records.flatMap(({ value }) => value.user?.uuid ?? []),
      next: following(place, page, path),
    };
  });
  if (given !== undefined) {
    const { uuids, next } = given;
    await inTransaction(context, (tx) => rememberMembers(tx, { ...of, uuids }));
    if (next !== undefined) return { place: next, requests: 1, found: 0 };
  }
  await inTransaction(context, async (tx) => {
    await rememberAuthors(tx, of);
    await endMembers(tx, of);
  });
  return { place: await chooseMethod(context, place), requests: 1, found: 0 };
}
