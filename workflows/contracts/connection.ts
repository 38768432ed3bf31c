import type { Finding, Service, Verdict } from '../words.ts';
import type { Tenant, OfIntegration } from './tenant.ts';

/** Queue: bitbucket. */
export interface ConnectionActivities {
  /** Exchanges the sealed OAuth code once; stores the tokens sealed as a candidate credential. A denied or spent code is a finding. */
  exchangeOauthCode(
    input: OfIntegration & { oauthFlowId: string; checkId: string },
  ): Promise<{ credentialId: string } | { finding: Finding }>;
  /** Runs the whole connection check and stores its report in the check's row. */
  checkConnection(
    input: Tenant & { integrationId: string | null; checkId: string; credentialId: string },
  ): Promise<{ verdict: Verdict; allowedServices: Service[] }>;
  /** Ends a check that cannot run, with a finding as its report. */
  failCheck(input: Tenant & { checkId: string; finding: Finding }): Promise<void>;
  /** Removes the secret that a check outside an integration waited with. */
  discardCheckSecret(input: Tenant & { checkId: string }): Promise<void>;
  /** One cheap signed request: does the host still take the credential? */
  probeCredential(input: OfIntegration): Promise<{ accepted: boolean }>;
}
