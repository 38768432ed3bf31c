import { sql } from 'drizzle-orm';
import type { Allowance } from '../../forecast/allowance.ts';
import { expectedEnd, type Standing } from '../../forecast/progress.ts';
import { type ImportState, isEndedImport, type Stream, STREAMS } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { accountKeyOf } from './accountKey.ts';
import { readAllowance } from './allowance.ts';
import { liveProgressOf, progressOf } from './sharedProgress.ts';

/** What is left of something, how fast it goes, and when it ends. */
export interface Outlook {
  /** null: not known yet */
  requestsLeft: number | null;
  recordsPerSecond: number;
  /** ISO; null: not known, or it waits for a person */
  estimatedEnd: string | null;
}

/** What an outlook is made of, the same for an import and all of its repositories: read once. */
export interface Surroundings {
  nowMs: number;
  state: ImportState;
  allowance: Allowance | null;
  /** running imports of the same Bitbucket account in this organization, at least 1 */
  sharers: number;
  /** repositories in hand */
  inHand: number;
}

/** States in which it goes on by itself. */
const GOES_ON: readonly string[] = ['pending', 'running', 'rate_limited'];

export async function readSurroundings(tx: Transaction, importId: string): Promise<Surroundings> {
  const [row] = await tx.execute<{
    now_ms: number;
    state: ImportState;
    account_key: string | null;
    sharers: number;
    in_hand: number;
  }>(sql`
    select (extract(epoch from now()) * 1000)::float8 as now_ms, i.state, ${accountKeyOf('c')} as account_key,
      (select count(*)::int from imports other
        join integrations n on n.organization_id = other.organization_id and n.id = other.integration_id
        join credentials k on k.organization_id = n.organization_id and k.id = n.credential_id
        where ${accountKeyOf('k')} = ${accountKeyOf('c')} and other.kind = 'import' and other.state in ('running', 'rate_limited')) as sharers,
      (select count(*)::int from import_repositories r
        where r.import_id = i.id and r.state in ('running', 'rate_limited')) as in_hand
    from imports i
    left join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
    left join credentials c on c.organization_id = n.organization_id and c.id = n.credential_id
    where i.id = ${importId}`);
  const accountKey = row?.account_key ?? null;
  const allowance =
    accountKey === null ? undefined : await readAllowance(tx, { accountKey, group: 'repository_data' });
  return {
    nowMs: row?.now_ms ?? 0,
    state: row?.state ?? 'cancelled',
    allowance: allowance ?? null,
    sharers: Math.max(1, row?.sharers ?? 1),
    inHand: Math.max(1, row?.in_hand ?? 1),
  };
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function outlookOf(
  standing: Standing & { recordsPerSecond: number; goesOn: boolean },
  { allowance, nowMs }: Surroundings,
): Outlook {
  const { requestsLeft, recordsPerSecond, goesOn } = standing;
  return {
    requestsLeft,
    recordsPerSecond,
    estimatedEnd: goesOn ? iso(expectedEnd(standing, allowance, nowMs)) : null,
  };
}

/**
 * The outlook of a whole import. Repositories that have not begun are taken to need as many requests as those that have
 * on average; before any has begun nothing is known. One that is tried again is pending and has begun: what is left of it
 * is known by its streams.
 */
export async function forecastImport(
  tx: Transaction,
  importId: string,
  around?: Surroundings,
): Promise<Outlook> {
  const surroundings = around ?? (await readSurroundings(tx, importId));
  const { state, sharers } = surroundings;
  if (isEndedImport(state)) return { requestsLeft: 0, recordsPerSecond: 0, estimatedEnd: null };
  const [row] = await tx.execute<{
    begun: number;
    not_begun: number;
    open: number;
    made: number;
    requests_left: number;
    records_rate: number;
    requests_rate: number;
    git_ms: number;
  }>(sql`
    with repositories as (
      select count(*) filter (where state = 'pending') as pending,
        count(*) filter (where state not in ('completed', 'failed', 'cancelled')) as open
      from import_repositories where import_id = ${importId}
    ), settled as (
      -- A repository has each stream once: there are as many as the stream has that most of them have.
      select coalesce(sum(made), 0) as made, coalesce(max(begun), 0) as begun from (
        select sum(requests) as made, sum(streams) as begun from import_totals
        where import_id = ${importId} group by stream) t
    ), live as (
      select count(distinct repository_id) as begun,
        count(distinct repository_id) filter (where repository_state = 'pending') as again,
        coalesce(sum(requests), 0) as made,
        coalesce(sum(requests_left), 0) as requests_left, coalesce(sum(records_rate), 0) as records_rate,
        coalesce(sum(requests_rate), 0) as requests_rate, coalesce(sum(${gitMs}), 0) as git_ms
      from ${liveProgressOf(importId)} p
    )
    select (settled.begun + live.begun)::float8 as begun, (pending - again)::float8 as not_begun, open::float8,
      (settled.made + live.made)::float8 as made, requests_left::float8, records_rate::float8, requests_rate::float8,
      git_ms::float8
    from repositories, settled, live`);
  if (row === undefined) return { requestsLeft: null, recordsPerSecond: 0, estimatedEnd: null };
  const { begun, not_begun: notBegun, open, made, requests_left: left } = row;
  const requestsLeft =
    begun === 0 && notBegun > 0
      ? null
      : Math.ceil(left + (begun === 0 ? 0 : (notBegun * (made + left)) / begun));
  return outlookOf(
    {
      requestsLeft,
      requestsPerSecond: row.requests_rate,
      recordsPerSecond: row.records_rate,
      repositories: open,
      gitMs: row.git_ms,
      sharers,
      goesOn: GOES_ON.includes(state),
    },
    surroundings,
  );
}

/** Git's time that is left, where commits are being stored: as fast as in the last minute. */
const gitMs = sql`case when p.stream = 'commits' and p.state = 'processing' and p.records_rate > 0
  then 1000 * greatest(0, p.records_expected - p.records_stored) / p.records_rate else 0 end`;

export interface StreamProgress {
  stream: Stream;
  state: string;
  stored: number;
  expected: number | null;
  requestsLeft: number;
  recordsPerSecond: number;
  requestsPerSecond: number;
}

/** The outlook of one repository and of each of its streams, in the order in which they are read. */
export function forecastRepository(
  repository: { state: string; streams: readonly StreamProgress[] },
  surroundings: Surroundings,
): Outlook & { streams: Map<Stream, Outlook> } {
  const { state, streams } = repository;
  const ended = ['completed', 'failed', 'cancelled'].includes(state);
  const goesOn = GOES_ON.includes(state) && GOES_ON.includes(surroundings.state);
  const sharers = surroundings.sharers * surroundings.inHand;
  let requestsLeft = 0;
  let gitLeftMs = 0;
  const requestsPerSecond = streams.reduce((sum, stream) => sum + stream.requestsPerSecond, 0);
  const outlook = (
    recordsPerSecond: number,
    left: number | null,
    own: number | null,
    isOpen: boolean,
  ): Outlook => ({
    ...outlookOf(
      {
        requestsLeft: left,
        requestsPerSecond,
        recordsPerSecond,
        repositories: 1,
        gitMs: gitLeftMs,
        sharers,
        goesOn: goesOn && isOpen,
      },
      surroundings,
    ),
    requestsLeft: own,
  });
  const perStream = new Map<Stream, Outlook>();
  for (const stream of streams) {
    const { recordsPerSecond, expected, stored } = stream;
    const isOpen = !ended && !['healthy', 'unavailable', 'switched_off', 'failed'].includes(stream.state);
    const own = ended ? 0 : stream.requestsLeft;
    requestsLeft += own;
    if (isOpen && stream.stream === 'commits' && recordsPerSecond > 0 && expected !== null) {
      gitLeftMs = (1_000 * Math.max(0, expected - stored)) / recordsPerSecond;
    }
    perStream.set(stream.stream, outlook(recordsPerSecond, requestsLeft, own, isOpen));
  }
  const recordsPerSecond = streams.reduce((sum, stream) => sum + stream.recordsPerSecond, 0);
  const left = streams.length === 0 && !ended ? null : requestsLeft;
  return { ...outlook(recordsPerSecond, left, left, !ended), streams: perStream };
}

/** The outlook of one repository of an import, by its rows. */
export async function readRepositoryOutlook(
  tx: Transaction,
  { importId, repositoryId }: { importId: string; repositoryId: string },
): Promise<Outlook> {
  const surroundings = await readSurroundings(tx, importId);
  const rows = await tx.execute<StreamProgress & { repository: string } & Record<string, unknown>>(sql`
    select r.state as repository, p.stream, p.state, p.records_stored::float8 as stored,
      p.records_expected::float8 as expected, p.requests_left as "requestsLeft", p.records_rate as "recordsPerSecond",
      p.requests_rate as "requestsPerSecond"
    from ${progressOf(importId)} p
    join import_repositories r on r.import_id = ${importId} and r.repository_id = p.repository_id
    where p.repository_id = ${repositoryId}`);
  const streams = rows.toSorted((one, other) => STREAMS.indexOf(one.stream) - STREAMS.indexOf(other.stream));
  const { requestsLeft, recordsPerSecond, estimatedEnd } = forecastRepository(
    { state: rows[0]?.repository ?? 'pending', streams },
    surroundings,
  );
  return { requestsLeft, recordsPerSecond, estimatedEnd };
}
