import { sql } from 'drizzle-orm';
import type {
  Finding,
  ImportMode,
  ImportRepositoryState,
  Stream,
  StreamNote,
  StreamState,
} from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { countsOf } from '../importTotals.ts';
import { limitTo } from './limitTo.ts';

export interface ReportedStream extends Record<string, unknown> {
  stream: Stream;
  state: StreamState;
  error: Finding | null;
  expected: number | null;
  basis: string | null;
  stored: number;
  quarantined: number;
  gone: number;
  notPermitted: number;
  method: string | null;
  notes: Record<string, StreamNote>;
}

export interface RepositoryReport extends Record<string, unknown> {
  importId: string;
  mode: ImportMode;
  state: ImportRepositoryState;
  error: Finding | null;
  startedAt: string | null;
  finishedAt: string | null;
  streams: ReportedStream[];
}

/** The last import that began with a repository, since it was removed if it was; null: none has. */
export async function readRepositoryReport(
  tx: Transaction,
  repositoryId: string,
): Promise<RepositoryReport | null> {
  const [row] = await tx.execute<RepositoryReport>(sql`
    select ir.import_id as "importId", i.mode, ir.state, ir.error, ir.started_at as "startedAt",
      ir.finished_at as "finishedAt",
      coalesce((select jsonb_agg(jsonb_build_object('stream', s.stream, 'state', s.state, 'error', s.last_error,
          'expected', s.records_expected, 'basis', s.expected_basis, 'stored', s.records_stored,
          'quarantined', s.quarantined, 'gone', s.gone, 'notPermitted', s.not_permitted, 'method', s.method,
          'notes', s.notes) order by s.started_at nulls last, s.stream)
        from import_streams s where s.organization_id = ir.organization_id and s.import_id = ir.import_id
          and s.repository_id = ir.repository_id), '[]') as streams
    from import_repositories ir
    join imports i on i.organization_id = ir.organization_id and i.id = ir.import_id
    join repositories r on r.organization_id = ir.organization_id and r.id = ir.repository_id
    where ir.repository_id = ${repositoryId} and i.kind = 'import' and ir.started_at is not null
      and (r.removed_at is null or ir.started_at > r.removed_at)
    order by ir.started_at desc, i.created_at desc limit 1`);
  return row ?? null;
}

export interface StreamTotal extends Record<string, unknown> {
  stream: Stream;
  /** null: not known for every repository yet */
  expected: number | null;
  stored: number;
  quarantined: number;
  gone: number;
  notPermitted: number;
  missing: number;
  surplus: number;
  complete: number;
  incomplete: number;
  failed: number;
  unavailable: number;
  inProgress: number;
  bases: string[];
  methods: string[];
}

// The rule of `workflows/completeness.ts` over many rows: a stream that was read to its end, and adds up.
const ENDED = sql`(state = 'healthy' or incomplete)`;

/** Per stream over all repositories of an import that read it. What is missing in one is not made up by what is too much in another. */
export async function totalCompleteness(tx: Transaction, importId: string): Promise<StreamTotal[]> {
  return tx.execute<StreamTotal>(sql`
    select stream,
      case when coalesce(sum(streams - known) filter (where state <> 'unavailable'), 0) = 0 then
        sum(expected)::float8 end as expected,
      sum(stored)::float8 as stored, sum(quarantined)::float8 as quarantined, sum(gone)::float8 as gone,
      sum(not_permitted)::float8 as "notPermitted",
      coalesce(sum(missing) filter (where ${ENDED}), 0)::float8 as missing,
      coalesce(sum(surplus) filter (where ${ENDED}), 0)::float8 as surplus,
      coalesce(sum(level) filter (where state = 'healthy'), 0)::int as complete,
      coalesce(sum(case when state = 'healthy' then streams - level else streams end) filter (where ${ENDED}), 0)::int
        as incomplete,
      coalesce(sum(streams) filter (where state = 'failed' and not incomplete), 0)::int as failed,
      coalesce(sum(streams) filter (where state = 'unavailable'), 0)::int as unavailable,
      coalesce(sum(streams) filter (where state in ('never', 'processing', 'rate_limited')), 0)::int as "inProgress",
      coalesce(array_agg(distinct basis) filter (where basis <> ''), '{}') as bases,
      coalesce(array_agg(distinct method) filter (where method <> ''), '{}') as methods
    from ${countsOf(importId)} c where state <> 'switched_off' and streams > 0
    group by stream order by stream`);
}

export interface OpenRepository extends Record<string, unknown> {
  repositoryId: string;
  fullName: string;
  state: ImportRepositoryState;
  error: Finding | null;
}

/** Repositories that ended and are not complete, in the order they were taken up. */
export async function listOpenRepositories(
  tx: Transaction,
  { importId, limit }: { importId: string; limit: number },
): Promise<OpenRepository[]> {
  return tx.execute<OpenRepository>(sql`
    select ir.repository_id as "repositoryId", r.full_name as "fullName", ir.state, ir.error
    from import_repositories ir
    join repositories r on r.organization_id = ir.organization_id and r.id = ir.repository_id
    where ir.import_id = ${importId} and ir.state in ('failed', 'cancelled')
    order by ir.place ${limitTo(limit)}`);
}
