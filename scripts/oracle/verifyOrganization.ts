import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../../db/client.ts';
import { type CanonicalRecord, RECORD_KINDS, type RecordKind } from './canonical.ts';
import { compareRecords, type Differences, noDifferences } from './compare.ts';
import { asListed } from './listed.ts';
import { STORED } from './stored.ts';
import { readTruth } from './truth.ts';

export interface VerifyInput {
  /** any role that may read the records */
  database: Database;
  organizationId: string;
  simulatorUrl: string;
}

const importedRow = z.object({
  id: z.string(),
  provider_uuid: z.string(),
  full_name: z.string(),
  streams: z.array(z.string()),
  commit_source: z.enum(['git', 'api']).nullable(),
});

export interface Verified extends Differences {
  /** how many were compared */
  repositories: number;
  /** full names of those that an integration sees and of which nothing was imported, so that nothing was compared */
  notImported: string[];
}

/** Which kinds of record each stream is responsible for; a service that is off owes nothing. */
const KINDS_OF_STREAM: Record<string, readonly RecordKind[]> = {
  refs: ['branch', 'tag'],
  commits: ['commit', 'commit_file'],
  pull_requests: ['pull_request', 'participant'],
  pull_request_activity: ['activity'],
  pull_request_comments: ['comment'],
  tickets: ['ticket'],
  ticket_comments: ['ticket_comment'],
  ticket_changes: ['ticket_change'],
};

/**
 * The oracle: compares every imported repository of an organization with the simulator's own truth, record by record.
 * It knows only the stored rows and the simulator's state, nothing of how they got there.
 */
export async function verifyOrganization(input: VerifyInput): Promise<Verified> {
  const { database, organizationId, simulatorUrl } = input;
  const total = noDifferences();
  const imported = await database.transaction(organizationId, (tx) =>
    tx.execute(sql`
      select r.id, r.provider_uuid, r.full_name, n.commit_source, array_agg(s.stream order by s.stream) as streams
      from repositories r join streams s on s.organization_id = r.organization_id and s.repository_id = r.id
      left join integrations n on n.organization_id = r.organization_id and n.id = r.integration_id
      where s.state not in ('never', 'unavailable', 'switched_off')
      group by r.id, r.provider_uuid, r.full_name, n.commit_source order by r.full_name`),
  );
  for (const row of imported.map((found) => importedRow.parse(found))) {
    const kinds = new Set<RecordKind>(['repository']);
    for (const stream of row.streams) for (const kind of KINDS_OF_STREAM[stream] ?? []) kinds.add(kind);
    // These follow from both, without a stream of their own.
    if (kinds.has('commit') && kinds.has('pull_request')) kinds.add('pull_request_commit');
    const ofApi = row.commit_source === 'api';
    if (ofApi) kinds.delete('commit_file');
    const seen = (records: CanonicalRecord[]) => (ofApi ? records.map(asListed) : records);
    const ofGit = row.streams.some((stream) => stream === 'refs' || stream === 'commits');
    const truth = await truthByKind(simulatorUrl, row.provider_uuid, ofGit);
    for (const kind of RECORD_KINDS) {
      const stored = await database.transaction(organizationId, (tx) => STORED[kind](tx, row.id));
      const owed = kinds.has(kind) ? (truth.get(kind) ?? []) : [];
      compareRecords(total, { repository: row.full_name, kind }, seen(owed), seen(stored));
    }
  }
  return {
    ...total,
    repositories: imported.length,
    notImported: await readNotImported(database, organizationId),
  };
}

const seenRow = z.object({ full_name: z.string() });

async function readNotImported(database: Database, organizationId: string): Promise<string[]> {
  const rows = await database.transaction(organizationId, (tx) =>
    tx.execute(sql`
      select distinct r.full_name
      from integration_repositories seen
      join repositories r on r.organization_id = seen.organization_id and r.id = seen.repository_id
      where not exists (select from streams s
        where s.organization_id = r.organization_id and s.repository_id = r.id
          and s.state not in ('never', 'unavailable', 'switched_off'))
      order by r.full_name`),
  );
  return rows.map((row) => seenRow.parse(row).full_name);
}

async function truthByKind(
  simulatorUrl: string,
  repositoryUuid: string,
  git: boolean,
): Promise<Map<RecordKind, CanonicalRecord[]>> {
  const kinds = new Map<RecordKind, CanonicalRecord[]>();
  for await (const record of readTruth(simulatorUrl, repositoryUuid, git)) {
    const known = kinds.get(record.kind);
    if (known === undefined) kinds.set(record.kind, [record]);
    else known.push(record);
  }
  return kinds;
}
