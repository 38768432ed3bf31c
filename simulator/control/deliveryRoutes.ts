import { z } from 'zod';
import { createRandom } from '../model/random.ts';
import type { Deliveries } from '../webhooks/deliveries.ts';
import type { DeliveryFaults } from '../webhooks/deliveryFaults.ts';
import type { DeliveryJournal, RecordedDelivery } from '../webhooks/deliveryJournal.ts';
import { shuffled } from '../webhooks/shuffled.ts';
import { type ControlRoutes, readJson, sendJson, streamLines } from './controlRoutes.ts';
import { MutationError } from './mutation.ts';

const redeliverSchema = z.union([
  /** These, in this order. */
  z.strictObject({ sequences: z.array(z.number().int()) }),
  /** Every recorded one that is no copy, in order, or in one that the seed decides. */
  z.strictObject({ all: z.literal(true), seed: z.number().int().optional() }),
]);

const QUIET_TIMEOUT_MS = 30_000;

const shown = ({ entry, delivery }: RecordedDelivery, withBody: boolean): object =>
  withBody ? { ...entry, body: JSON.parse(delivery.body) } : entry;

/** `/_simulator/deliveries…`: what was told to whom, what becomes of it on its way, and all of it again. */
export function createDeliveryRoutes(webhooks: {
  deliveries: Deliveries;
  faults: DeliveryFaults;
  journal: DeliveryJournal;
}): ControlRoutes {
  const { deliveries, faults, journal } = webhooks;

  function chosen(input: z.infer<typeof redeliverSchema>): number[] {
    if ('sequences' in input) return input.sequences;
    const originals = journal
      .since(0)
      .map(({ entry }) => entry)
      .filter((entry) => entry.copy_of === null);
    const sequences = originals.map(({ sequence }) => sequence);
    return input.seed === undefined ? sequences : shuffled(sequences, createRandom(input.seed));
  }

  return {
    'GET deliveries': ({ response, query }) => {
      const recorded = journal.since(Number(query.get('since') ?? 0));
      return streamLines(
        response,
        recorded.map((one) => shown(one, query.get('body') !== 'no')),
      );
    },
    'DELETE deliveries': ({ response }) => {
      journal.clear();
      sendJson(response, {});
    },
    'GET deliveries/quiet': async ({ response, query }) => {
      const waiting = await deliveries.quiet(Number(query.get('timeout_ms') ?? QUIET_TIMEOUT_MS));
      sendJson(response, { quiet: waiting === 0, waiting });
    },
    'POST deliveries/redeliver': async ({ request, response }) => {
      const copies = deliveries.redeliver(chosen(redeliverSchema.parse(await readJson(request))));
      if (copies === undefined) throw new MutationError('no delivery with one of these sequence numbers');
      sendJson(response, { sequences: copies.map(({ sequence }) => sequence) });
    },
    'GET deliveries/faults': ({ response }) => sendJson(response, faults.report()),
    'PUT deliveries/faults': async ({ request, response }) => {
      faults.set(await readJson(request));
      sendJson(response, faults.report());
    },
    'DELETE deliveries/faults': ({ response }) => {
      faults.clear();
      sendJson(response, faults.report());
    },
  };
}
