import { awaitDeliveries } from '../../../db/queries/poll/missingDeliveries.ts';
import { nextDueRepository, notePolled } from '../../../db/queries/poll/turns.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { segment } from '../../bitbucket/connectionCheck/target.ts';
import { readPage, readRecords } from '../../bitbucket/paging.ts';
import { polledPullRequestSchema } from '../../bitbucket/schemas.ts';
import { canonicalInstant, OVERLAP_MS } from '../../streams/instants.ts';
import type { Place } from '../place.ts';
import {
  ask,
  endWorkspace,
  hint,
  inTransaction,
  move,
  type PollContext,
  type PollStep,
} from '../pollContext.ts';

/** Whether one repository has pull requests that changed since the newest that is stored. */
export async function askRepository(
  context: PollContext,
  place: Place,
  { workspaceId }: PolledWorkspace,
): Promise<PollStep> {
  const { integration } = context;
  const { organizationId } = integration;
  const due = await inTransaction(context, (tx) =>
    nextDueRepository(tx, { ...integration, workspaceId, after: place.after }),
  );
  if (due === undefined) return move(await endWorkspace(context, place, 'repositories'));
  const q = segment(due.newest === null ? 'id>0' : `updated_on>${due.newest}`);
  const fields = 'next,values.id,values.updated_on,values.destination.repository.uuid';
  const path = `/repositories/${due.fullName}/pullrequests?pagelen=10&q=${q}&fields=${fields}`;
  const given = await ask(context, place, path, (answer) => {
    const page = readPage(answer, path);
    const { records } = readRecords(polledPullRequestSchema, answer, page);
    const updated = records.map(({ value }) => canonicalInstant(value.updated_on)).toSorted();
    return { isNews: page.values.length > 0, changedAt: updated[0] ?? null };
  });
  const isNews = given?.isNews === true;
  const found = isNews ? await hint(context, [due], ['pull_requests']) : 0;
  const { repositoryId } = due;
  const changed = isNews ? [{ ...due, changedAt: given.changedAt }] : [];
  await inTransaction(context, async (tx) => {
    await awaitDeliveries(tx, { ...integration, changed, kind: 'pull_request', apartMs: OVERLAP_MS });
    await notePolled(tx, { organizationId, repositoryId, rotated: false });
  });
  return { place: { ...place, after: due.repositoryId }, requests: 1, found };
}
