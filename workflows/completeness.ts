/**
 * Whether an import brought in everything (design 6.3): the rule, shared by the activities that decide and by the API
 * that reports.
 */

import type { Finding, Stream, StreamCounts, StreamState } from './words.ts';

export interface Sum {
  /** expected = stored + quarantined + gone + notPermitted; null: `expected` is not known */
  addsUp: boolean | null;
  /** expected records of which nothing is known */
  missing: number;
  /** more records than were expected */
  surplus: number;
}

/** Adds up one stream. A record in quarantine is accounted for: its bytes are kept and it can be tried again. */
export function addUp({ expected, stored, quarantined, gone, notPermitted }: StreamCounts): Sum {
  if (expected === null) return { addsUp: null, missing: 0, surplus: 0 };
  const open = expected - stored - quarantined - gone - notPermitted;
  return { addsUp: open === 0, missing: Math.max(0, open), surplus: Math.max(0, -open) };
}

/** What the report says of a stream, of a repository, of an import. */
export const COMPLETENESS = [
  'complete',
  'incomplete',
  'failed',
  'unavailable',
  'switched_off',
  'in_progress',
  'pending',
] as const;
export type Completeness = (typeof COMPLETENESS)[number];

/** A stream of one repository in one import, as its row says. */
export interface StreamStanding extends StreamCounts {
  stream: Stream;
  state: StreamState;
  error: Finding | null;
}

export const INCOMPLETE = 'incomplete';

/** Only a stream that was read to its end, and adds up, is complete. */
export function completenessOf(stream: StreamStanding): Completeness {
  switch (stream.state) {
    case 'never':
      return 'pending';
    case 'processing':
    case 'rate_limited':
      return 'in_progress';
    case 'unavailable':
    case 'switched_off':
      return stream.state;
    case 'failed':
      return stream.error?.code === INCOMPLETE ? 'incomplete' : 'failed';
    case 'healthy':
      return addUp(stream).addsUp === true ? 'complete' : 'incomplete';
  }
}

const WORST_FIRST = ['failed', 'incomplete', 'in_progress', 'pending'] as const;

/** Of several together: the worst of them. What is unavailable or switched off takes nothing away; nothing at all is pending. */
export function completenessOfAll(parts: readonly Completeness[]): Completeness {
  if (parts.length === 0) return 'pending';
  return WORST_FIRST.find((word) => parts.includes(word)) ?? 'complete';
}

/** The finding of a repository whose streams were read and do not add up; undefined: they do. */
export function incompleteFinding(streams: readonly StreamStanding[]): Finding | undefined {
  const settled: readonly Completeness[] = ['complete', 'unavailable', 'switched_off'];
  const open = streams.filter((stream) => !settled.includes(completenessOf(stream)));
  if (open.length === 0) return undefined;
  const words = open.map((stream) => `${stream.stream}: ${saying(stream)}`);
  return {
    code: INCOMPLETE,
    message: `The import does not add up (${words.join('; ')}).`,
    remedy:
      'Import the repository again with mode full. If the same numbers stay, see its completeness report, and report it.',
    details: { streams: open.map(detailsOf) },
  };
}

function saying(stream: StreamStanding): string {
  const { missing, surplus, addsUp } = addUp(stream);
  if (stream.state !== 'healthy' && stream.error?.code !== INCOMPLETE) return 'was not read to its end';
  if (addsUp === null) return 'it is not known how many records there are';
  const expected = (stream.expected ?? 0).toLocaleString('en-US');
  return missing > 0
    ? `${missing.toLocaleString('en-US')} of ${expected} records missing`
    : `${surplus.toLocaleString('en-US')} more than the ${expected} expected`;
}

function detailsOf(stream: StreamStanding): Record<string, unknown> {
  const { expected, stored, quarantined, gone, notPermitted } = stream;
  const { missing, surplus } = addUp(stream);
  return {
    stream: stream.stream,
    expected,
    stored,
    quarantined,
    gone,
    not_permitted: notPermitted,
    missing,
    surplus,
  };
}
