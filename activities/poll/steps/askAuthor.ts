import {
  nextAuthor,
  noteAuthorsRefused,
  noteGiven,
  noteRefused,
  type PolledAuthor,
} from '../../../db/queries/poll/authors.ts';
import { noteChangedInFirstImport, selectWithNewerPullRequests } from '../../../db/queries/poll/changes.ts';
import { awaitDeliveries } from '../../../db/queries/poll/missingDeliveries.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { segment } from '../../bitbucket/connectionCheck/target.ts';
import { readPage, readRecords } from '../../bitbucket/paging.ts';
import { polledPullRequestSchema } from '../../bitbucket/schemas.ts';
import { before, OVERLAP_MS } from '../../streams/instants.ts';
import { begin, type Place } from '../place.ts';
import {
  ask,
  dated,
  endWorkspace,
  following,
  hint,
  inTransaction,
  move,
  type PollContext,
  type PollStep,
} from '../pollContext.ts';

/**
 * How far behind the watermark the question begins that no round has asked yet. The members are listed once a day, and an
 * author who was given up for refusals is met again with them; a quiet repository was asked by itself once a day.
 */
const NOT_ASKED_MS = 2 * 86_400_000;

const ALL_STATES = '(state="OPEN" OR state="MERGED" OR state="DECLINED" OR state="SUPERSEDED")';

/** The pull requests of one author in the whole workspace (facts 3.7). */
export async function askAuthor(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<PollStep> {
  const { integration } = context;
  const { workspaceId } = workspace;
  const since = workspace.since === null ? null : before(workspace.since, OVERLAP_MS);
  const author = await inTransaction(context, (tx) =>
    nextAuthor(tx, { workspaceId, after: place.after, since }),
  );
  if (author === undefined) return move(await endAuthors(context, place, workspaceId));
  const path = authorPath(workspace, author);
  const given = await ask(context, place, path, (answer) => {
    const page = readPage(answer, path);
    const { records } = readRecords(polledPullRequestSchema, answer, page);
    const here = dated(place, answer);
    return { records, here, next: following(here, page, path) };
  });
  const behind = { ...place, after: author.uuid, next: null, pages: 0 };
  if (given === undefined) {
    const isGone = await inTransaction(context, (tx) => noteRefused(tx, { workspaceId, uuid: author.uuid }));
    return { place: { ...behind, withheld: place.withheld || !isGone }, requests: 1, found: 0 };
  }
  const { records, here, next } = given;
  const seen = records.flatMap(({ value }) =>
    value.destination?.repository == null
      ? []
      : [{ repository: value.destination.repository.uuid, number: value.id, updated: value.updated_on }],
  );
  const updated = seen.map(({ repository, updated: at }) => ({ uuid: repository, at }));
  const changed = await inTransaction(context, async (tx) => {
    await noteGiven(tx, { workspaceId, uuid: author.uuid });
    await noteChangedInFirstImport(tx, {
      ...integration,
      updated,
      service: 'pull_requests',
      overlapMs: OVERLAP_MS,
    });
    const newer = await selectWithNewerPullRequests(tx, { ...integration, seen });
    await awaitDeliveries(tx, {
      ...integration,
      changed: newer,
      kind: 'pull_request',
      apartMs: OVERLAP_MS,
    });
    return newer;
  });
  return {
    place: { ...(next ?? { ...behind, began: here.began }), given: true },
    requests: 1,
    found: await hint(context, changed, ['pull_requests']),
  };
}

/**
 * Where some lists were given, one that was refused is of somebody who left, or of a workspace that cannot be seen for a while:
 * the latter must not move the watermark. An account to which none is given may not ask by author: its repositories are asked
 * by themselves, at once, and where all authors are given up, in the next days' rounds too.
 */
async function endAuthors(context: PollContext, place: Place, workspaceId: string): Promise<Place> {
  const { given, withheld, incomplete } = place;
  if (given) return endWorkspace(context, { ...place, incomplete: incomplete || withheld }, 'authors');
  if (!withheld)
    await inTransaction(context, (tx) => noteAuthorsRefused(tx, { ...context.integration, workspaceId }));
  return begin(place, 'repositories');
}

function authorPath({ slug, since, method }: PolledWorkspace, { uuid, isNew }: PolledAuthor): string {
  const reachMs = isNew || method !== 'authors' ? NOT_ASKED_MS : OVERLAP_MS;
  const changed = since === null ? [] : [`updated_on>=${before(since, reachMs)}`];
  const states = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'].map((state) => `state=${state}`).join('&');
  const q = segment([...changed, ALL_STATES].join(' AND '));
  const fields = 'next,values.id,values.updated_on,values.destination.repository.uuid';
  return (
    `/workspaces/${segment(slug)}/pullrequests/${segment(uuid)}` +
    `?pagelen=50&${states}&q=${q}&fields=${fields}`
  );
}
