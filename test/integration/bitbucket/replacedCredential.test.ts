import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { useEngineBench } from '../../support/engineBench.ts';

const bench = useEngineBench();
const ask = (credential: { organizationId: string; credentialId: string }) =>
  bench.engine.client.get({ credential, path: '/user', signal: new AbortController().signal });

const shred = (credential: { organizationId: string; credentialId: string }) =>
  bench.engine.database.transaction(credential.organizationId, (tx) =>
    tx.execute(sql`
      update credentials set sealed = null, state = 'shredded' where id = ${credential.credentialId}`),
  );

it('work that began with a credential which was replaced meanwhile is tried again, and then signs with the new one', async () => {
  const old = await bench.connect();
  const fresh = await bench.connect();
  await bench.engine.database.transaction(old.organizationId, (tx) =>
    tx.execute(
      sql`update integrations set credential_id = ${fresh.credentialId} where id = ${old.integrationId}`,
    ),
  );
  await shred(old);
  await expect(ask(old)).rejects.toMatchObject({ type: 'CredentialReplaced', retry: { kind: 'always' } });
  const signing = await bench.engine.credentials.ofIntegration(old);
  expect(signing.credentialId).toBe(fresh.credentialId);
});

it('a credential that was shredded and not replaced cannot be used, and trying again does not help', async () => {
  const only = await bench.connect();
  await shred(only);
  await expect(ask(only)).rejects.toMatchObject({ type: 'CredentialUnusable', retry: { kind: 'never' } });
});
