import { sql } from 'drizzle-orm';
import type { Finding, Service, Stream, StreamState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import type { Opener } from '../schema/streams.ts';
import { jsonText } from './jsonText.ts';

/** Which stream of which repository; the tenant comes from the transaction and is named again for the keys. */
export interface StreamKey {
  organizationId: string;
  repositoryId: string;
  stream: Stream;
}

/** What a stream knows when it is opened. `position: null`: no walk is in hand. */
export interface StoredCheckpoint {
  epoch: number;
  position: Record<string, unknown> | null;
  watermark: string | null;
  memory: Record<string, unknown> | null;
}

const json = (value: Record<string, unknown> | null): string | null =>
  value === null ? null : JSON.stringify(value);

/**
 * Whether the service of this stream is off in the integration that an import is for. It stays so until the transaction
 * ends: whoever switches it waits for this, or this for them.
 */
export async function isSwitchedOff(
  tx: Transaction,
  { importId, service }: { importId: string; service: Service },
): Promise<boolean> {
  const [row] = await tx.execute<{ off: boolean }>(sql`
    select ${service} <> all (n.services) as off
    from imports i join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
    where i.id = ${importId} for share of n`);
  return row?.off === true;
}

/**
 * Opens a stream for an import: raises its epoch, which shuts out every earlier writer. Creates the row where there is
 * none. `undefined`: repository, import or integration is gone or being removed, so nothing may be written for it; the
 * locks make that hold until the row is there, since a removal begins by changing these rows.
 * `late`: a later attempt of the same run has opened it already, and nothing is changed. Of attempts of different runs nobody
 * knows which is the later.
 *
 * A first epoch is the clock in microseconds: a stream that was removed and begun anew is above all writers from before.
 */
export async function raiseEpoch(
  tx: Transaction,
  key: StreamKey & { importId: string; opener: Opener | null },
): Promise<StoredCheckpoint | 'late' | undefined> {
  const opener = key.opener === null ? null : JSON.stringify(key.opener);
  const place = (row: string) =>
    sql.raw(`((${row}.opened_by ->> 'activity')::integer, (${row}.opened_by ->> 'attempt')::integer)`);
  const [row] = await tx.execute<
    { allowed: boolean; opened: boolean } & StoredCheckpoint & Record<string, unknown>
  >(sql`
    with allowed as materialized (
      select r.organization_id, r.id
      from imports i
      join integrations n on n.organization_id = i.organization_id and n.id = i.integration_id
      join repositories r on r.organization_id = i.organization_id and r.id = ${key.repositoryId}
      where i.organization_id = ${key.organizationId} and i.id = ${key.importId}
        and n.state <> 'disconnecting' and r.removed_at is null
      for share of n, r
    ), opened as (
      insert into streams as s (organization_id, repository_id, stream, epoch, opened_by, state, last_attempt_at)
      select organization_id, id, ${key.stream}, extract(epoch from clock_timestamp()) * 1000000, ${opener}::jsonb,
        'processing', clock_timestamp()
      from allowed
      on conflict (organization_id, repository_id, stream) do update
        set epoch = s.epoch + 1, opened_by = excluded.opened_by, state = 'processing', last_attempt_at = clock_timestamp()
        where (s.opened_by ->> 'run' = excluded.opened_by ->> 'run' and ${place('s')} > ${place('excluded')}) is not true
      returning epoch::float8 as epoch, position, watermark::text as watermark, memory
    )
    select exists (select from allowed) as allowed, opened.epoch is not null as opened, opened.*
    from (values (1)) one left join opened on true`);
  if (row === undefined || !row.allowed) return undefined;
  if (!row.opened) return 'late';
  const { epoch, position, watermark, memory } = row;
  return { epoch, position, watermark, memory };
}

/**
 * Compare-and-set of position and epoch; false: somebody else has opened the stream since, or it stands elsewhere.
 * `watermark` and `memory` stay as they are when left out.
 */
export async function moveCheckpoint(
  tx: Transaction,
  key: StreamKey,
  move: {
    epoch: number;
    from: Record<string, unknown> | null;
    to: Record<string, unknown> | null;
    watermark?: string | null;
    memory?: Record<string, unknown> | null;
  },
): Promise<boolean> {
  const watermark = move.watermark === undefined ? sql`` : sql`, watermark = ${move.watermark}::timestamptz`;
  const memory = move.memory === undefined ? sql`` : sql`, memory = ${json(move.memory)}::jsonb`;
  const rows = await tx.execute(sql`
    update streams set position = ${json(move.to)}::jsonb ${watermark} ${memory}
    where organization_id = ${key.organizationId} and repository_id = ${key.repositoryId}
      and stream = ${key.stream} and epoch = ${move.epoch}
      and position is not distinct from ${json(move.from)}::jsonb
    returning epoch`);
  return rows.length > 0;
}

/**
 * How the stream fares, by whoever holds it: an older epoch changes nothing (false).
 * A first failure dates `failing_since`; `healthy` clears it and the last error, `unavailable` the date.
 */
export async function setStreamState(
  tx: Transaction,
  key: StreamKey,
  change: { epoch: number; state: StreamState; error: Finding | null },
): Promise<boolean> {
  const error = jsonText(change.error);
  const rows = await tx.execute(sql`
    update streams set
      state = ${change.state},
      last_error = case when ${change.state} in ('healthy', 'processing') then null
        else coalesce(${error}::jsonb, last_error) end,
      failing_since = case when ${change.state} in ('healthy', 'unavailable') then null
        when ${change.state} = 'failed' then coalesce(failing_since, clock_timestamp()) else failing_since end,
      last_success_at = case ${change.state}::text when 'healthy' then clock_timestamp() else last_success_at end
    where organization_id = ${key.organizationId} and repository_id = ${key.repositoryId}
      and stream = ${key.stream} and epoch = ${change.epoch}
    returning epoch`);
  return rows.length > 0;
}

/** What others ask of a stream's memory. The whole of it may be large: that of the commits names each head. */
export interface Knowledge {
  watermark: string | null;
  /** how the import that read it last left it; null: none did */
  import: unknown;
  /** when the last walk of the whole activity feed began, by Bitbucket's clock; null in the other streams */
  started: string | null;
}

/** What the streams of a repository know between their walks; those that were never opened are not among them. */
export async function readKnowledge(
  tx: Transaction,
  key: Omit<StreamKey, 'stream'>,
): Promise<Map<Stream, Knowledge>> {
  const rows = await tx.execute<{ stream: Stream } & Knowledge & Record<string, unknown>>(sql`
    select s.stream, s.watermark::text as watermark, m.import, m.started
    from streams s left join lateral jsonb_to_record(s.memory) as m(import jsonb, started text) on true
    where s.organization_id = ${key.organizationId} and s.repository_id = ${key.repositoryId}`);
  return new Map(rows.map(({ stream, ...known }) => [stream, known]));
}
