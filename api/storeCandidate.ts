import { v7 as uuid } from 'uuid';
import { insertCandidate, insertCheck } from '../db/queries/api/checks.ts';
import type { ApiEnv } from './dependencies.ts';
import { repeatedId } from './keyedId.ts';
import { type CredentialBody, splitCredential } from './schemas/credential.ts';

/**
 * Seals a submitted secret at once and stores it with the row of its check. From here on nothing in this process can
 * read it again. It belongs to the integration, or to the check when there is none. A request that is sent again before
 * anybody knows how the first one ended finds its check.
 */
export async function storeCandidate(
  { dependencies, principal, claim }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal' | 'claim'>,
  integrationId: string | null,
  body: CredentialBody,
): Promise<{ checkId: string; credentialId: string }> {
  const { organizationId } = principal;
  const { kind, secret, fields, expiresOn } = splitCredential(body);
  const checkId = repeatedId({ organizationId, claim }, 'check') ?? uuid();
  const credentialId = repeatedId({ organizationId, claim }, 'credential') ?? uuid();
  const ownerId = integrationId ?? checkId;
  const { keyId, sealed } = await dependencies.sealer.seal(secret, {
    organizationId,
    ownerId,
    field: 'credential',
  });
  await dependencies.database.transaction(organizationId, async (tx) => {
    // A check that has ended has no secret any more.
    if (!(await insertCheck(tx, { id: checkId, organizationId, integrationId, credentialKind: kind })))
      return;
    await insertCandidate(tx, {
      id: credentialId,
      organizationId,
      integrationId,
      ownerId,
      kind,
      sealed,
      keyId,
      fields,
      expiresOn,
    });
  });
  return { checkId, credentialId };
}
