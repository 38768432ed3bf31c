import { listMissed } from '../../../db/queries/poll/keptRepositories.ts';
import type { Place } from '../place.ts';
import { hint, inTransaction, nextWorkspace, type PollContext, type PollStep } from '../pollContext.ts';

/** What was missed while nothing was fetched, each repository in its own services. */
export async function tellMissed(context: PollContext, place: Place): Promise<PollStep> {
  const all = await inTransaction(context, (tx) => listMissed(tx, context.integration));
  for (const one of all) await hint(context, [one], one.services);
  return { place: await nextWorkspace(context, place), requests: 0, found: all.length };
}
