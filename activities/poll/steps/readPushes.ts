import { noteChangedInFirstImport, notePushed, selectPushed } from '../../../db/queries/poll/changes.ts';
import { awaitDeliveries } from '../../../db/queries/poll/missingDeliveries.ts';
import type { PolledWorkspace } from '../../../db/queries/poll/workspaces.ts';
import { repositoriesPath, segment, type TokenTarget } from '../../bitbucket/connectionCheck/target.ts';
import { asList, readPage, readRecords } from '../../bitbucket/paging.ts';
import type { ParsedRecords } from '../../bitbucket/records.ts';
import { type Repository, repositorySchema } from '../../bitbucket/schemas.ts';
import { before, OVERLAP_MS } from '../../streams/instants.ts';
import { storeRepositories } from '../../discovery/storeRepositories.ts';
import { begin, type Place } from '../place.ts';
import {
  ask,
  beginPullRequests,
  dated,
  following,
  hint,
  inTransaction,
  type PollContext,
  type PollStep,
} from '../pollContext.ts';

/** A page of the workspace's repositories, those changed last first; what it shows of them is stored, as in a discovery. */
export async function readPushes(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<PollStep> {
  const { database, integration, services, target } = context;
  const workspaceUuid = workspace.providerUuid;
  const path = pushesPath(workspace, target);
  const given = await ask(context, place, path, (answer) => {
    const single = target?.repository !== undefined;
    const page = single ? { values: [answer.json], next: null, size: 1 } : readPage(answer, path);
    const parsed = readRecords(repositorySchema, single ? asList(answer) : answer, page);
    const here = dated(place, answer);
    return { parsed, observedAt: answer.observedAt, here, next: following(here, page, path) };
  });
  if (given === undefined || isOfAnother(workspace, given.parsed)) {
    return { place: begin(place, 'witnesses', { incomplete: true }), requests: 1, found: 0 };
  }
  const { parsed, observedAt, here, next } = given;
  await storeRepositories(database, integration, { parsed, observedAt, workspaceUuid });
  const updated = parsed.records.map(({ value }) => ({ uuid: value.uuid, at: value.updated_on }));
  const found = services.includes('repositories') ? await tellPushed(context, updated) : 0;
  return {
    place: next ?? (await beginPullRequests(context, here, workspace)),
    requests: 1,
    found,
  };
}

/** A workspace was renamed, and another one has its slug now. What it shows is nothing of ours; a witness shows the new slug. */
const isOfAnother = ({ providerUuid }: PolledWorkspace, { records }: ParsedRecords<Repository>): boolean =>
  records.some(({ value }) => value.workspace != null && value.workspace.uuid !== providerUuid);

/** Returns how many repositories were told. */
async function tellPushed(
  context: PollContext,
  updated: readonly { uuid: string; at: string | null }[],
): Promise<number> {
  const pushes = { ...context.integration, updated, overlapMs: OVERLAP_MS };
  const changed = await inTransaction(context, async (tx) => {
    await noteChangedInFirstImport(tx, { ...pushes, service: 'repositories' });
    return selectPushed(tx, pushes);
  });
  const found = await hint(context, changed, ['repositories']);
  await inTransaction(context, async (tx) => {
    await awaitDeliveries(tx, { ...context.integration, changed, kind: 'push', apartMs: OVERLAP_MS });
    await notePushed(tx, pushes);
  });
  return found;
}

function pushesPath({ slug, since }: PolledWorkspace, target: TokenTarget | undefined): string {
  if (target?.repository !== undefined) return repositoriesPath(target, '');
  const filters = [
    ...(target?.project === undefined ? [] : [`project.key=${JSON.stringify(target.project)}`]),
    ...(since === null ? [] : [`updated_on>=${before(since, OVERLAP_MS)}`]),
  ];
  const query = `sort=-updated_on&pagelen=100${filters.length === 0 ? '' : `&q=${segment(filters.join(' AND '))}`}`;
  return `/repositories/${segment(slug)}?${query}`;
}
