import { v7 as uuid } from 'uuid';
import { insertCandidate, insertCheck } from '../db/queries/api/checks.ts';
import type { ApiEnv } from './dependencies.ts';
import { repeated, type Repeated } from './repeated.ts';
import { type CredentialBody, splitCredential } from './schemas/credential.ts';

/** A secret that waits for its check is removed after 15 minutes: a request that comes later brings its own. */
const GOES_ON_MS = 10 * 60_000;

/**
 * Seals a submitted secret at once and stores it with the row of its check. From here on nothing in this process can
 * read it again. It belongs to the integration, or to the check when there is none. A request that is sent again before
 * anybody knows how the first one ended finds its check; `command` is what tells of it.
 */
export async function storeCandidate(
  variables: Pick<ApiEnv['Variables'], 'dependencies' | 'principal' | 'claim'>,
  integrationId: string | null,
  body: CredentialBody,
): Promise<{ checkId: string; credentialId: string; command: Repeated | undefined }> {
  const { dependencies, principal, claim } = variables;
  const { organizationId } = principal;
  const { kind, secret, fields, expiresOn } = splitCredential(body);
  const { checkGoesOnMs = GOES_ON_MS } = dependencies;
  const goesOn = claim !== undefined && claim.ageMs < checkGoesOnMs;
  const command = goesOn ? repeated(variables, 'check') : undefined;
  const checkId = command?.id ?? uuid();
  const credentialId = (goesOn ? repeated(variables, 'credential')?.id : undefined) ?? uuid();
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
  return { checkId, credentialId, command };
}
