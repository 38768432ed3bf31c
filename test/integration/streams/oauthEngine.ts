import { sql } from 'drizzle-orm';
import {
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type BitbucketEngine,
  type EngineOptions,
} from '../../support/bitbucketEngine.ts';
import { oauthTokens } from '../../support/oauthBrowser.ts';
import type { Situation } from './situation.ts';

/** The engine's own client, gate and OAuth store for a situation, in place of its bare signer. */
export interface OauthEngine extends Pick<BitbucketEngine, 'client' | 'credentials'> {
  /** Connects the situation's integration with a fresh grant; nothing was asked for in its name yet. */
  connect(): Promise<void>;
  end(): Promise<void>;
}

export function createOauthEngine(
  situation: Situation,
  options: Pick<EngineOptions, 'deadlineMs' | 'maxBytes'> = {},
): OauthEngine {
  const { simulator, testDatabase, organizationId, integrationId } = situation;
  const keys = createTestKeys();
  const rows = createCredentialRows(testDatabase, keys);
  const engine = createBitbucketEngine({
    databaseUrl: testDatabase.workerUrl,
    keys,
    apiUrl: simulator.apiUrl,
    webUrl: simulator.url,
    consumer: simulator.consumer,
    ...options,
  });
  return {
    client: engine.client,
    credentials: engine.credentials,
    async connect() {
      await situation.database.withoutTenant(async (tx) => {
        for (const table of ['request_uses', 'request_waits', 'request_limits'])
          await tx.execute(sql`delete from ${sql.identifier(table)}`);
      });
      const tokens = await oauthTokens(simulator, 'service');
      const { credentialId } = await rows.integration('oauth', tokens, { organizationId });
      await situation.rows(
        sql`update integrations set credential_id = ${credentialId} where id = ${integrationId}`,
      );
    },
    async end() {
      await engine.end();
      await rows.end();
    },
  };
}
