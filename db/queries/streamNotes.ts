import { sql } from 'drizzle-orm';
import type { StreamNote } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import type { ImportStreamKey } from './importProgress.ts';
import { jsonText } from './jsonText.ts';

/**
 * Notes something for the completeness report of a stream, under a code; the same code again replaces it. Belongs in the
 * transaction of the page that found it out. A stream that the import does not have is left alone.
 */
export async function noteStream(
  tx: Transaction,
  key: ImportStreamKey,
  code: string,
  note: StreamNote,
): Promise<void> {
  await tx.execute(sql`
    update import_streams set notes = notes || jsonb_build_object(${code}::text, ${jsonText(note)}::jsonb)
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId} and stream = ${key.stream}`);
}

/**
 * Says which of several ways a stream is read, e.g. `feed` or `per_pull_request`.
 */
export async function setStreamMethod(tx: Transaction, key: ImportStreamKey, method: string): Promise<void> {
  await tx.execute(sql`
    update import_streams set method = ${method}
    where organization_id = ${key.organizationId} and import_id = ${key.importId}
      and repository_id = ${key.repositoryId} and stream = ${key.stream}`);
}
