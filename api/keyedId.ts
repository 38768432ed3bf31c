import { v5 as namedUuid, v7 as uuid } from 'uuid';
import type { Database } from '../db/client.ts';
import { type Keyed, wasMadeByKey } from '../db/queries/api/idempotency.ts';
import type { KeyClaim } from './dependencies.ts';

/** A UUID of our own that stands for "what was asked for by Idempotency-Key" (RFC 9562 section 5.5). */
export const NAMESPACE = '6f0d3c1e-3f0b-5a52-9d0e-1f6b8a7c2d41';

const DAY_MS = 86_400_000;

/**
 * The id of what a request makes. The same request sent again must not make a second one when the first one's answer was
 * lost (a timeout, an api that died before it kept the answer): with a key, the id follows from key and request. The day is
 * part of it, since a key is free for something else after 24 hours; what was made on the day before, and less than
 * 24 hours ago, is what a request behind midnight repeats.
 */
export async function keyedId(
  {
    database,
    organizationId,
    claim,
  }: { database: Database; organizationId: string; claim: KeyClaim | undefined },
  table: Keyed,
  request: object,
): Promise<string> {
  if (claim === undefined) return uuid();
  const { key, day } = claim;
  const idOn = (date: string) => namedUuid(JSON.stringify([organizationId, key, date, request]), NAMESPACE);
  const earlier = idOn(new Date(Date.parse(day) - DAY_MS).toISOString().slice(0, 10));
  const isRepeated = await database.read(organizationId, (tx) => wasMadeByKey(tx, table, earlier));
  return isRepeated ? earlier : idOn(day);
}
