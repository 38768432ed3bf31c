import { z } from '@hono/zod-openapi';
import { instantOrNull } from '../instant.ts';
import { timestamp } from './shared.ts';

export const waiting = z
  .strictObject({
    since: timestamp.nullable(),
    until: timestamp.nullable(),
    reason: z.string().nullable(),
  })
  .openapi('Waiting');

interface WaitingColumns {
  waitingSince: string | null;
  waitingUntil: string | null;
  waitingReason: string | null;
}

export const presentWaiting = (row: WaitingColumns): z.infer<typeof waiting> | null =>
  row.waitingSince === null && row.waitingUntil === null && row.waitingReason === null
    ? null
    : {
        since: instantOrNull(row.waitingSince),
        until: instantOrNull(row.waitingUntil),
        reason: row.waitingReason,
      };
