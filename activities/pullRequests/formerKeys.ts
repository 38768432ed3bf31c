import { keysWithActor } from '../../db/queries/activity.ts';
import type { Transaction } from '../../db/client.ts';
import type { RepositoryScope, Row } from '../../db/queries/upsert.ts';
import { NOBODY } from './activityRows.ts';

/**
 * Activity entries without an actor, under the keys that they are stored by from when they had one: an account that is
 * removed later takes its name out of what it did (facts 3.7), and so out of the key. An update that says something else
 * than the stored one of its moment and state is left out: accounts that its changes name have gone as well. A page
 * in which every entry has its actor costs nothing.
 */
export async function underFormerKeys<Entry extends Row>(
  tx: Transaction,
  scope: RepositoryScope,
  rows: readonly Entry[],
): Promise<Entry[]> {
  const actorless = rows.filter((row) => saidBehind(row) !== undefined);
  if (actorless.length === 0) return [...rows];
  const stored = await keysWithActor(
    tx,
    scope,
    actorless.map((row) => ({ ...row, raw: null, place: placeOf(row), said: saidBehind(row) })),
  );
  return rows.flatMap((row) => {
    const said = saidBehind(row);
    const key = said === undefined ? undefined : stored.get(placeOf(row));
    if (said === undefined || key === undefined) return [row];
    return key.endsWith(said) ? [{ ...row, entry_key: key }] : [];
  });
}

const placeOf = (row: Row): string => `${String(row['pull_request_number'])}/${String(row['entry_key'])}`;

/** What stands in the key behind the actor that is missing; undefined: none is missing. */
function saidBehind(row: Row): string | undefined {
  const [, said] = String(row['entry_key']).split(`:${NOBODY}`);
  return said;
}
