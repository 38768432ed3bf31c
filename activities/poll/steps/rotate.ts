import { hasUnknownEntry } from '../../../db/queries/poll/changes.ts';
import { nextInRotation, notePolled, type RotatedRepository } from '../../../db/queries/poll/turns.ts';
import type { Service } from '../../../workflows/words.ts';
import { activityItem } from '../../pullRequests/activityRows.ts';
import { underFormerKeys } from '../../pullRequests/formerKeys.ts';
import { readPage, readRecords } from '../../bitbucket/paging.ts';
import { activitySchema } from '../../bitbucket/schemas.ts';
import type { Place } from '../place.ts';
import { ask, hint, inTransaction, move, type PollContext, type PollStep } from '../pollContext.ts';

/** Looks at the repository whose turn it is; the round ends when none is left, or none of its share. */
export async function rotate(context: PollContext, place: Place): Promise<PollStep> {
  const { integration, services } = context;
  const { organizationId } = integration;
  if (place.rotationLeft <= 0) return move(null);
  const next = await inTransaction(context, (tx) =>
    nextInRotation(tx, { ...integration, before: place.startedAt }),
  );
  if (next === undefined) return move(null);
  const { repositoryId } = next;
  const hasPullRequests = services.includes('pull_requests');
  const changed: Service[] = [];
  // Git tells by itself, without a request, whether there is something new.
  if (services.includes('repositories')) changed.push('repositories');
  if (services.includes('tickets') && next.hasIssues !== false) changed.push('tickets');
  const isNews = hasPullRequests && (await hasNews(context, place, next));
  if (isNews) changed.push('pull_requests');
  if (changed.length > 0) await hint(context, [next], changed, 'rotation');
  await inTransaction(context, (tx) => notePolled(tx, { organizationId, repositoryId, rotated: true }));
  const requests = hasPullRequests ? 1 : 0;
  return { place: { ...place, rotationLeft: place.rotationLeft - 1 }, requests, found: isNews ? 1 : 0 };
}

/** Whether one of the newest entries of the repository's activity is not stored. */
async function hasNews(
  context: PollContext,
  place: Place,
  { repositoryId, fullName }: RotatedRepository,
): Promise<boolean> {
  const path = `/repositories/${fullName}/pullrequests/activity?pagelen=10`;
  const given = await ask(context, place, path, (answer) => ({
    ...readRecords(activitySchema, answer, readPage(answer, path)),
    observedAt: answer.observedAt,
  }));
  if (given === undefined) return false;
  const { records, rejected, observedAt } = given;
  const rows = records.flatMap((record) => activityItem(record, observedAt)?.row ?? []);
  if (rejected.length > 0) return true;
  return inTransaction(context, async (tx) => {
    const { organizationId } = context.integration;
    const named = await underFormerKeys(tx, { organizationId, repositoryId }, rows);
    const entries = named.map((row) => ({ number: row.pull_request_number, key: row.entry_key }));
    return hasUnknownEntry(tx, { repositoryId, entries });
  });
}
