import { nextDueRepository, notePolled } from '../../../db/queries/poll/turns.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { segment } from '../../bitbucket/connectionCheck/target.ts';
import { readPage } from '../../bitbucket/paging.ts';
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
  const page = await ask(context, place, path, (answer) => readPage(answer, path));
  const isNews = page !== undefined && page.values.length > 0;
  const found = isNews ? await hint(context, [due], ['pull_requests']) : 0;
  const { repositoryId } = due;
  await inTransaction(context, (tx) => notePolled(tx, { organizationId, repositoryId, rotated: false }));
  return { place: { ...place, after: due.repositoryId }, requests: 1, found };
}
