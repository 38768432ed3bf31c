import type { Database } from '../../db/client.ts';
import { finishCheck, selectAccountBefore } from '../../db/queries/connectionChecks.ts';
import { noteCheckedCredential, shredSecretsOf } from '../../db/queries/credentials.ts';
import { mergeWindows } from '../../db/queries/requestBudget.ts';
import type { ConnectionActivities } from '../../workflows/contracts/connection.ts';
import { LIVE } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { checkConnection } from '../bitbucket/connectionCheck/connectionCheck.ts';
import { AuthRefused, CredentialUnusable, Forbidden, ScopeMissing } from '../bitbucket/errors.ts';
import { type CredentialStore, standInKey } from '../credentials/credentialStore.ts';
import type { createCodeExchange } from '../credentials/codeExchange.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { failCheck } from './failCheck.ts';
import { inWords, isOther } from './otherAccount.ts';

export interface ConnectionDependencies {
  database: Database;
  client: BitbucketClient;
  credentials: CredentialStore;
  exchangeCode: ReturnType<typeof createCodeExchange>;
  /** base of the API, as the client has it */
  apiUrl: string;
  /** BITBUCKET_PASSWORD_LOGIN */
  passwordLogin: boolean;
}

/** What the connect step asks of Bitbucket, and its rows. */
export function createConnectionActivities(dependencies: ConnectionDependencies): ConnectionActivities {
  const { database, client, credentials, exchangeCode, apiUrl, passwordLogin } = dependencies;
  const host = new URL(apiUrl).host;

  return {
    exchangeOauthCode: (input) => withHeartbeats(() => exchangeCode(input)),

    checkConnection: ({ organizationId, checkId, credentialId }) =>
      withHeartbeats(async (signal) => {
        const ref = { organizationId, credentialId };
        const facts = await credentials.facts(ref);
        const userName = await credentials.userName(ref);
        const report = await checkConnection(
          {
            client,
            host,
            passwordLogin,
            // At once: it may be that Bitbucket lets this account wait, for what another of its credentials asked.
            onAccount: async (accountKey) => {
              const keys = { from: standInKey(credentialId), to: accountKey };
              await database.statement((tx) => mergeWindows(tx, keys));
              await database.transaction(organizationId, (tx) =>
                noteCheckedCredential(tx, { id: credentialId, accountKey }),
              );
            },
          },
          { ref, ...facts, userName },
          signal,
        );
        const { verdict, allowed_services: allowedServices } = report;
        await database.transaction(organizationId, async (tx) => {
          await noteCheckedCredential(tx, {
            id: credentialId,
            scopes: report.scopes.granted,
          });
          const stored = await selectAccountBefore(tx, checkId);
          const before = stored === null ? null : inWords(stored);
          const { account } = report;
          // With the verdict: who reads it may be quicker than the adoption of the credential.
          const replaces =
            verdict !== 'failed' && before !== null && account !== null && isOther(before, account);
          const told = replaces ? { ...report, previous_account: before } : report;
          await finishCheck(tx, { checkId, verdict, report: told });
        });
        return { verdict, allowedServices };
      }),

    failCheck: ({ organizationId, checkId, finding }) =>
      database.transaction(organizationId, async (tx) => {
        await failCheck(tx, { checkId, finding });
      }),

    discardCheckSecret: ({ organizationId, checkId }) =>
      database.transaction(organizationId, (tx) => shredSecretsOf(tx, checkId)),

    probeCredential: (integration) =>
      withHeartbeats(async (signal) => {
        try {
          const credential = await credentials.ofIntegration(integration);
          await client.get({ credential, path: '/user', signal, asker: LIVE, evenIfRefused: true });
          return { accepted: true };
        } catch (error) {
          if (error instanceof AuthRefused || error instanceof CredentialUnusable) return { accepted: false };
          // Bitbucket knows the credential; what it may do is another question.
          if (error instanceof ScopeMissing || error instanceof Forbidden) return { accepted: true };
          throw error;
        }
      }),
  };
}
