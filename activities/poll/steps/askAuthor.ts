import { nextAuthor, noteRefused } from '../../../db/queries/poll/authors.ts';
import { noteChangedInFirstImport, selectWithNewerPullRequests } from '../../../db/queries/poll/changes.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { segment } from '../../bitbucket/connectionCheck/target.ts';
import { readPage, readRecords } from '../../bitbucket/paging.ts';
import { polledPullRequestSchema } from '../../bitbucket/schemas.ts';
import { before, OVERLAP_MS } from '../../instants.ts';
import type { Place } from '../place.ts';
import {
  ask,
  dated,
  endWorkspace,
  following,
  hint,
  inTransaction,
  move,
  placeOf,
  type PollContext,
  type PollStep,
} from '../pollContext.ts';

const ALL_STATES = '(state="OPEN" OR state="MERGED" OR state="DECLINED" OR state="SUPERSEDED")';

/** The pull requests of one author in the whole workspace (facts 3.7). */
export async function askAuthor(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<PollStep> {
  const { integration } = context;
  const { workspaceId } = workspace;
  const author = await inTransaction(context, (tx) => nextAuthor(tx, { workspaceId, after: place.after }));
  if (author === undefined) return move(await endWorkspace(context, place, 'authors'));
  const path = authorPath(workspace, author);
  const answer = await ask(context, placeOf(place, path));
  const behind = { ...place, after: author, next: null, pages: 0 };
  if (answer === undefined) {
    const isGone = await inTransaction(context, (tx) => noteRefused(tx, { workspaceId, uuid: author }));
    // Somebody who left, or a workspace that cannot be seen for a while: the latter must not move the watermark.
    return { place: { ...behind, incomplete: place.incomplete || !isGone }, requests: 1, found: 0 };
  }
  const page = readPage(answer, path);
  const seen = readRecords(polledPullRequestSchema, answer, page).records.flatMap(({ value }) =>
    value.destination?.repository == null
      ? []
      : [{ repository: value.destination.repository.uuid, number: value.id, updated: value.updated_on }],
  );
  const updated = seen.map(({ repository, updated: at }) => ({ uuid: repository, at }));
  const changed = await inTransaction(context, async (tx) => {
    await noteChangedInFirstImport(tx, {
      ...integration,
      updated,
      service: 'pull_requests',
      overlapMs: OVERLAP_MS,
    });
    return selectWithNewerPullRequests(tx, { ...integration, seen });
  });
  const here = dated(place, answer);
  return {
    place: following(here, page, path) ?? { ...behind, began: here.began },
    requests: 1,
    found: await hint(context, changed, ['pull_requests']),
  };
}

function authorPath({ slug, since }: PolledWorkspace, author: string): string {
  const changed = since === null ? [] : [`updated_on>=${before(since, OVERLAP_MS)}`];
  const states = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'].map((state) => `state=${state}`).join('&');
  const q = segment([...changed, ALL_STATES].join(' AND '));
  const fields = 'next,values.id,values.updated_on,values.destination.repository.uuid';
  return (
    `/workspaces/${segment(slug)}/pullrequests/${segment(author)}` +
    `?pagelen=50&${states}&q=${q}&fields=${fields}`
  );
}
