import { expect, test } from 'vitest';
import { presentImportRepository } from '../../../api/schemas/importRepository.ts';
import type { Stream, StreamState } from '../../../workflows/words.ts';

/** A repository's streams in the order in which they are shown, two of them read side by side. */
const streams = (states: Partial<Record<Stream, StreamState>>) =>
  Object.entries(states).map(([stream, state]) => ({
    stream: stream as Stream,
    state,
    stored: 1,
    expected: null,
    expected_basis: null,
    known: null,
    quarantined: 0,
    requests: 1,
    requests_left: 1,
    records_rate: 0,
    requests_rate: 0,
    last_error: null,
    started_at: null,
    finished_at: null,
  }));

test.each<['rate_limited' | 'needs_credential', Partial<Record<Stream, StreamState>>, Stream]>([
  ['rate_limited', { commits: 'processing', pull_request_activity: 'rate_limited' }, 'pull_request_activity'],
  ['rate_limited', { refs: 'healthy', commits: 'rate_limited', pull_requests: 'processing' }, 'commits'],
  // The workflow waits behind a request that its stream knows nothing of.
  ['needs_credential', { refs: 'healthy', commits: 'processing', tickets: 'never' }, 'commits'],
])('a repository that is %s shows what it waits for at the stream that does: %j', (state, states, waits) => {
  const shown = presentImportRepository(
    {
      repositoryId: 'r',
      fullName: 'acme/subject',
      place: 1,
      state,
      error: null,
      waitingSince: '2026-11-01T00:00:00Z',
      waitingUntil: '2026-11-01T01:00:00Z',
      waitingReason: 'Bitbucket allowance',
      startedAt: null,
      finishedAt: null,
      streams: streams(states),
    },
    { nowMs: 0, state: 'running', allowance: null, sharers: 1, inHand: 1 },
  );
  const waiting = shown.streams.filter((stream) => stream.waiting !== null).map(({ stream }) => stream);
  expect(waiting).toEqual([waits]);
});
