import { z } from '@hono/zod-openapi';
import type { CheckRow } from '../../db/queries/api/checks.ts';
import { unescapeJson } from '../../db/text.ts';
import { VERDICTS } from '../../workflows/words.ts';
import { instant, instantOrNull } from '../instant.ts';
import { type ConnectionReport, reportSchema } from './report.ts';
import { credentialKind, id, link, message, timestamp } from './shared.ts';

export const checkSchema = z
  .strictObject({
    id,
    integration_id: id.nullable(),
    credential_kind: credentialKind,
    state: z.enum(['running', 'done']),
    verdict: z.enum(VERDICTS).nullable().meta({ description: 'null while it runs' }),
    message: message.nullable(),
    report: reportSchema.nullable().meta({ description: 'null while it runs' }),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
    links: z.array(link),
  })
  .openapi('ConnectionCheck');

type Check = z.infer<typeof checkSchema>;

function messageOf({ verdict }: CheckRow, report: ConnectionReport | null): Check['message'] {
  if (verdict !== 'ok' && verdict !== 'ok_with_warnings') return null;
  const name = report?.account?.name ?? '';
  const before = report?.previous_account?.name;
  const as = name === '' ? '' : ` as ${name}`;
  const change = before === undefined ? '' : ` Until now it was another account: ${before}.`;
  return { code: 'connection_ok', text: `Connected to Bitbucket Cloud${as}.${change}` };
}

function linksOf(row: CheckRow): Check['links'] {
  const self: Check['links'][number] = {
    action: 'read',
    method: 'GET',
    href: checkPath(row),
    hint: row.state === 'running' ? 'The check still runs: read it again.' : 'This report.',
  };
  if (row.integrationId === null || row.state === 'running') return [self];
  const integration = `/v1/integrations/${row.integrationId}`;
  return row.verdict === 'failed'
    ? [
        self,
        {
          action: 'submit_credential',
          method: 'PUT',
          href: `${integration}/credential`,
          hint: 'Try another credential.',
        },
      ]
    : [
        self,
        {
          action: 'read_integration',
          method: 'GET',
          href: integration,
          hint: 'Its links say what comes next.',
        },
      ];
}

/** Where the report of a check is read. */
export const checkPath = (check: { id: string; integrationId: string | null }): string =>
  check.integrationId === null
    ? `/v1/connection-checks/${check.id}`
    : `/v1/integrations/${check.integrationId}/connection-check`;

export function presentCheck(row: CheckRow): Check {
  const report = row.report === null ? null : reportSchema.parse(unescapeJson(row.report));
  return {
    id: row.id,
    integration_id: row.integrationId,
    credential_kind: row.credentialKind,
    state: row.state,
    verdict: row.verdict,
    message: messageOf(row, report),
    report,
    created_at: instant(row.createdAt),
    finished_at: instantOrNull(row.finishedAt),
    links: linksOf(row),
  };
}
