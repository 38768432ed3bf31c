import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import type { Secret } from '../../platform/secrets/secret.ts';
import { webhookSecret } from '../../platform/secrets/webhookSecret.ts';
import type { TestTenant } from './integrationRows.ts';

/** A registered webhook, and what Bitbucket sends through it. */
export interface TestHook {
  id: string;
  path: string;
  /** headers and body of a delivery, as Bitbucket makes them */
  delivery(
    eventKey: string,
    body: Uint8Array | string,
    generation?: number,
  ): { headers: Record<string, string>; body: Uint8Array };
}

/** A workspace hook of the tenant's, or one of a repository's; the workspace is that of its repositories. */
export async function createHook(
  sql: postgres.Sql,
  tenant: Pick<TestTenant, 'organizationId' | 'integrationId'>,
  { key, repositoryId = null }: { key: Secret; repositoryId?: string | null },
): Promise<TestHook> {
  const { organizationId, integrationId } = tenant;
  const id = uuid();
  const token = randomBytes(32).toString('base64url');
  await sql`
    insert into webhooks (id, organization_id, integration_id, scope, workspace_id, repository_id, token, state)
    select ${id}, ${organizationId}, ${integrationId}, ${repositoryId === null ? 'workspace' : 'repository'}, w.id,
      ${repositoryId}, ${token}, 'active'
    from workspaces w where w.organization_id = ${organizationId} limit 1`;
  return {
    id,
    path: `/v1/webhooks/bitbucket/${token}`,
    delivery(eventKey, text, generation = 1) {
      const body = Buffer.from(text);
      const secret = webhookSecret(key, { integrationId, generation });
      return { headers: { ...deliveryHeaders(eventKey), 'X-Hub-Signature': signature(secret, body) }, body };
    },
  };
}

/** Everything that Bitbucket sends besides the signature (facts, section 5.3). */
const deliveryHeaders = (eventKey: string): Record<string, string> => ({
  'Content-Type': 'application/json',
  'User-Agent': 'Bitbucket-Webhooks/2.0',
  'X-Event-Key': eventKey,
  'X-Hook-UUID': randomUUID(),
  'X-Request-UUID': randomUUID(),
  'X-Attempt-Number': '1',
  'X-Event-Time': new Date().toUTCString(),
});

export const signature = (secret: string, body: Uint8Array, algorithm = 'sha256'): string =>
  `${algorithm}=${createHmac(algorithm, secret).update(body).digest('hex')}`;

/** The body of a push to a repository. `distinct` makes it another push. */
export const pushBody = (repositoryUuid: string, distinct: unknown = randomUUID()): string =>
  JSON.stringify({ push: { changes: [] }, repository: { uuid: repositoryUuid }, distinct });
