import { z } from 'zod';
import { createRandom } from '../model/random.ts';
import { urlWith } from '../http/paging.ts';
import type { Reply } from '../http/reply.ts';
import type { Fault } from './faults.ts';

/** A list's envelope, as far as faults bend it. */
const envelopeSchema = z.looseObject({
  values: z.array(z.unknown()),
  size: z.number().optional(),
  next: z.string().optional(),
});
type Envelope = z.infer<typeof envelopeSchema>;

const envelopeOf = (reply: Reply): Envelope | undefined =>
  reply.status === 200 ? envelopeSchema.safeParse(JSON.parse(reply.body)).data : undefined;

const replyWith = (reply: Reply, envelope: Envelope): Reply => ({ ...reply, body: JSON.stringify(envelope) });

interface Asked {
  /** the request's own address without its query */
  base: string;
  query: URLSearchParams;
  /** how often the fault has been played, this time included */
  played: number;
}

/** The host's own answer with a list bent by a fault; any other answer, and any other fault, comes back unchanged. */
export function bendList(reply: Reply, fault: Fault, asked: Asked): Reply {
  if (fault.kind !== 'thin_list' && fault.kind !== 'next') return reply;
  const envelope = envelopeOf(reply);
  if (envelope === undefined) return reply;
  if (fault.kind === 'next') {
    const { next: _, ...rest } = envelope;
    const next = nextOf(fault.to, asked, envelope.next);
    return replyWith(reply, next === undefined ? rest : { ...rest, next });
  }
  const random = createRandom(asked.played * 7919 + envelope.values.length);
  const values = envelope.values.filter(() => !random.chance(fault.share));
  const left = envelope.values.length - values.length;
  const size =
    envelope.size === undefined || fault.size === 'kept' ? {} : { size: Math.max(0, envelope.size - left) };
  return replyWith(reply, { ...envelope, ...size, values });
}

function nextOf(
  to: Extract<Fault, { kind: 'next' }>['to'],
  { base, query, played }: Asked,
  own: string | undefined,
): string | undefined {
  switch (to) {
    case 'none':
      return undefined;
    case 'self':
      return urlWith(base, query, {});
    case 'turn':
      return urlWith(base, query, { turn: query.has('turn') ? null : '1' });
    case 'first':
      return urlWith(base, query, { page: null, ctx: null });
    case 'endless':
      if (isNumbered(base)) return pageAfter(base, query);
      // The same entries again, under an address that is new each time.
      return urlWith(base, query, { round: String(played) });
    case 'beyond':
      if (own !== undefined) return own;
      if (isNumbered(base)) return pageAfter(base, query);
      return urlWith(base, query, { ctx: Buffer.from('activity:999999').toString('base64url') });
  }
}

/** Lists of activity go on by a word, the others by numbered pages. */
const isNumbered = (base: string): boolean => !base.endsWith('/activity');

const pageAfter = (base: string, query: URLSearchParams): string =>
  urlWith(base, query, { page: String(Number(query.get('page') ?? 1) + 1) });
