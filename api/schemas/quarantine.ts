import { z } from '@hono/zod-openapi';
import type { QuarantineRow, RetryRow } from '../../db/queries/api/quarantine.ts';
import { unescapeText } from '../../db/text.ts';
import { RETRY_STATES, STREAMS } from '../../workflows/words.ts';
import { instant, instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { finding, id, link, timestamp } from './shared.ts';

const count = z.number().int().min(0);

/** A record may have megabytes; a page shows the beginning of each. The whole stands in the table. */
export const SHOWN_BYTES = 16_384;
const PREVIEW_SIGNS = 2_000;

export const quarantinedSchema = z
  .strictObject({
    id,
    repository_id: id,
    full_name: z.string(),
    stream: z.enum(STREAMS),
    record_key: z.string().meta({
      description:
        'the key of the record where it could be read, else `sha256:` and the hash of its bytes; of a key beyond 500 bytes the hash',
    }),
    reason: z.string().meta({ description: 'why it could not be stored' }),
    attempts: count,
    place: z.strictObject({
      request_path: z
        .string()
        .nullable()
        .meta({ description: 'path and query of the request that brought it' }),
      page_index: count.nullable().meta({ description: 'its place in that page, from 0' }),
      parent_number: count.nullable().meta({ description: 'of the pull request or ticket it belongs to' }),
    }),
    import_id: id.nullable().meta({ description: 'the import that met it last' }),
    raw: z.strictObject({
      bytes: count.meta({ description: 'of the whole record' }),
      base64: z.string().meta({ description: 'its bytes as they came, the first 16 KiB' }),
      text: z.string().meta({
        description: 'the beginning, for people: what is no plain ASCII is escaped, so it is safe to show',
      }),
      truncated: z.boolean().meta({ description: 'base64 does not hold all of it' }),
    }),
    first_met_at: timestamp,
    last_attempt_at: timestamp,
  })
  .openapi('QuarantinedRecord');

export const retryBody = z
  .strictObject({
    ids: z.array(id).min(1).max(1_000).optional().meta({ description: 'only these records' }),
    repository: id.optional().meta({ description: 'only records of this repository' }),
    stream: z.enum(STREAMS).optional().meta({ description: 'only records of this stream' }),
  })
  .openapi('RetryQuarantine');

export const retrySchema = z
  .strictObject({
    id,
    integration_id: id,
    state: z.enum(RETRY_STATES),
    filter: retryBody,
    tried: count,
    stored: count.meta({ description: 'left the quarantine: stored now, or older than what is stored' }),
    kept: count.meta({ description: 'cannot be stored yet; their attempts went up' }),
    error: finding.nullable(),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    links: z.array(link),
  })
  .openapi('QuarantineRetry');

/** Printable ASCII, without what HTML or a terminal would interpret; all else as `\xNN` of its bytes. */
function preview(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, PREVIEW_SIGNS))
    .toString('latin1')
    .replaceAll(/[^ -~]|[<>&\\]/g, (sign) =>
      sign === '\\' ? '\\\\' : `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  return `${shown}${bytes.length > PREVIEW_SIGNS ? '…' : ''}`;
}

export const presentQuarantined = (row: QuarantineRow): z.infer<typeof quarantinedSchema> => ({
  id: row.id,
  repository_id: row.repositoryId,
  full_name: unescapeText(row.fullName),
  stream: row.stream,
  record_key: unescapeText(row.recordKey),
  reason: unescapeText(row.reason),
  attempts: row.attempts,
  place: {
    request_path: row.requestPath === null ? null : unescapeText(row.requestPath),
    page_index: row.pageIndex,
    parent_number: row.parentNumber,
  },
  import_id: row.importId,
  raw: {
    bytes: row.bytes,
    base64: Buffer.from(row.head).toString('base64'),
    text: preview(row.head),
    truncated: row.bytes > row.head.length,
  },
  first_met_at: instant(row.createdAt),
  last_attempt_at: instant(row.lastAttemptAt),
});

export const presentRetry = (row: RetryRow): z.infer<typeof retrySchema> => ({
  id: row.id,
  integration_id: row.integrationId,
  state: row.state,
  filter: row.filter,
  tried: row.tried,
  stored: row.stored,
  kept: row.tried - row.stored,
  error: presentFinding(row.error),
  created_at: instant(row.createdAt),
  started_at: instantOrNull(row.startedAt),
  finished_at: instantOrNull(row.finishedAt),
  links: [
    { action: 'read', method: 'GET', href: `/v1/quarantine-retries/${row.id}`, hint: 'How far it is.' },
    {
      action: 'list_quarantine',
      method: 'GET',
      href: `/v1/integrations/${row.integrationId}/quarantine`,
      hint: 'What is left.',
    },
  ],
});
