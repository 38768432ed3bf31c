import { sql } from 'drizzle-orm';
import type { Finding, Stream, StreamCounts, StreamState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { jsonText } from './jsonText.ts';

interface Standing extends StreamCounts {
  stream: Stream;
  state: StreamState;
  error: Finding | null;
}

/** What an import says of each stream of a repository. */
export async function readStandings(
  tx: Transaction,
  { importId, repositoryId }: { importId: string; repositoryId: string },
): Promise<Standing[]> {
  return tx.execute<Standing & Record<string, unknown>>(sql`
    select stream, state, last_error as error, records_expected::float8 as expected, records_stored::float8 as stored,
      quarantined::float8 as quarantined, gone::float8 as gone, not_permitted::float8 as "notPermitted"
    from import_streams where import_id = ${importId} and repository_id = ${repositoryId} order by stream`);
}

/** Marks the streams that do not add up as failed, in the import and for the repository; the others stay as they are. */
export async function failIncomplete(
  tx: Transaction,
  { importId, repositoryId, error }: { importId: string; repositoryId: string; error: Finding },
): Promise<void> {
  const finding = jsonText(error);
  await tx.execute(sql`
    with open as (
      update import_streams set state = 'failed', last_error = ${finding}::jsonb
      where import_id = ${importId} and repository_id = ${repositoryId}
        and state not in ('unavailable', 'switched_off', 'failed')
        and records_expected is distinct from records_stored + quarantined + gone + not_permitted
      returning organization_id, repository_id, stream
    )
    update streams s set state = 'failed', last_error = ${finding}::jsonb,
      failing_since = coalesce(s.failing_since, clock_timestamp())
    from open where s.organization_id = open.organization_id and s.repository_id = open.repository_id
      and s.stream = open.stream`);
}
