import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type postgres from 'postgres';
import { z } from 'zod';
import { privateKeysFile } from '../../platform/secrets/keyFiles.ts';
import { createOpener } from '../../platform/secrets/open.ts';
import { Secret } from '../../platform/secrets/secret.ts';
import { KEY_FILES } from '../../scripts/keys/keyFolder.ts';
import type { Stack } from './stack.ts';

const openedJson = z.record(z.string(), z.string());

/** Opens everything that is sealed at the moment, as the worker can: the secrets in it, each with the name of its field. */
export async function openSealed(
  stack: Stack,
  admin: postgres.Sql,
): Promise<[name: string, value: string][]> {
  const ring = privateKeysFile.parse(
    JSON.parse(await readFile(join(stack.folder, 'keys', KEY_FILES.privateKeys), 'utf8')),
  );
  const opener = createOpener({
    keys: ring.keys.map((key) => ({ keyId: key.key_id, privateKey: new Secret(key.private_key) })),
  });
  const rows = await admin`
    select organization_id, owner_id, 'credential' as field, key_id, sealed from credentials where sealed is not null
    union all select organization_id, integration_id, 'oauth_verifier', key_id, sealed_verifier from oauth_flows
      where sealed_verifier is not null
    union all select organization_id, integration_id, 'oauth_code', key_id, sealed_code from oauth_flows
      where sealed_code is not null`;
  const found: [string, string][] = [];
  for (const row of rows) {
    const context = { organizationId: row['organization_id'], ownerId: row['owner_id'], field: row['field'] };
    const opened = Buffer.from(await opener.open({ keyId: row['key_id'], sealed: row['sealed'] }, context));
    const text = opened.toString('utf8');
    const parts =
      row['field'] === 'credential' ? openedJson.parse(JSON.parse(text)) : { [row['field']]: text };
    found.push(...Object.entries(parts).filter(([name]) => name !== 'email' && name !== 'username'));
  }
  return found;
}
