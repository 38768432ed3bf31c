import { expiryWarning } from '../../../workflows/credentialExpiry.ts';
import type { CredentialKind, Finding } from '../../../workflows/words.ts';
import type { BitbucketClient, CredentialRef } from '../client.ts';
import { AuthRefused, BitbucketError, ScopeMissing } from '../errors.ts';
import { credentialExpired, missingScopesFinding } from '../findings.ts';
import { excessScopes, missingScopes, vocabularyOf } from '../scopes.ts';
import { createAsker, type Asker } from './ask.ts';
import {
  connectionOk,
  excessScopesFinding,
  notWorkspaceAdmin,
  nothingVisible,
  repositoriesOnly,
  SERVICE_NAMES,
} from './findings.ts';
import { whoIsIt } from './identity.ts';
import { verdictOf, type ConnectionReport, type Severity } from './report.ts';
import { servicesOf } from './services.ts';
import { tokenTarget } from './target.ts';
import { seenByToken, seenByUser, type Seen } from './visibility.ts';
import { webhooksOf } from './webhooks.ts';

export interface CheckedCredential {
  ref: CredentialRef;
  kind: CredentialKind;
  fields: Readonly<Record<string, string>>;
  userName: string | null;
  expiresOn: string | null;
  /** `expiresOn` is past */
  expired: boolean;
}

export interface ConnectionCheckOptions {
  client: BitbucketClient;
  /** host name of the API, for the report */
  host: string;
  /** the host takes plain passwords (historic) */
  passwordLogin: boolean;
  /** the user is known, by its uuid: what is asked from now on counts for it */
  onAccount: (uuid: string) => Promise<void>;
}

/**
 * Finds out, with few requests, who a credential is, what it may and what it sees (design 5.1).
 * Every trouble that Bitbucket's answers can tell becomes a finding; only an abort is thrown.
 */
export async function checkConnection(
  options: ConnectionCheckOptions,
  credential: CheckedCredential,
  signal: AbortSignal,
): Promise<ConnectionReport> {
  const asker = createAsker({ client: options.client, credential: credential.ref, signal });
  const report = emptyReport(options, credential);
  const add = (severity: Severity, finding: Finding): void => {
    report.findings.push({ ...finding, severity });
  };
  if (credential.expired) {
    add('error', credentialExpired(credential.kind));
  } else {
    try {
      await examine(options, credential, asker, report, add);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof BitbucketError)) throw error;
      add('error', error.finding);
    }
  }
  report.requests = asker.requests();
  report.verdict = verdictOf(report.findings);
  if (report.verdict === 'failed') report.allowed_services = [];
  return report;
}

function emptyReport(options: ConnectionCheckOptions, credential: CheckedCredential): ConnectionReport {
  return {
    verdict: 'failed',
    host: options.host,
    account: null,
    credential: { kind: credential.kind, type: null, expires_on: credential.expiresOn },
    scopes: { vocabulary: vocabularyOf(credential.kind), granted: null, excess: [] },
    services: [],
    allowed_services: [],
    webhooks: [],
    visible: null,
    findings: [],
    requests: 0,
  };
}

type Add = (severity: Severity, finding: Finding) => void;

async function examine(
  options: ConnectionCheckOptions,
  credential: CheckedCredential,
  asker: Asker,
  report: ConnectionReport,
  add: Add,
): Promise<void> {
  const { kind, fields, userName } = credential;
  const { passwordLogin } = options;
  const identity = await whoIsIt(asker, { kind, userName, passwordLogin });
  if (identity.is === 'refused') {
    add('error', identity.finding);
    return;
  }
  const { granted = null, credentialType = null } = asker.seen();
  const { vocabulary } = report.scopes;
  report.scopes.granted = granted;
  report.credential.type = credentialType;
  const target = kind === 'access_token' && identity.is === 'hidden' ? tokenTarget(fields) : undefined;
  report.account = identity.is === 'known' ? identity.account : tokenAccount(credentialType, fields);
  if (report.account?.uuid != null) await options.onAccount(report.account.uuid);

  const lacking =
    target === undefined && granted !== null ? missingScopes(vocabulary, 'account', granted) : [];
  if (lacking.length > 0) add('error', missingScopesFinding(kind, 'To find workspaces', lacking));
  else if (identity.is === 'hidden' && target === undefined) {
    add('error', identity.finding);
  }

  const seen = await look(asker, target, add);
  report.services = await servicesOf(asker, { vocabulary, granted }, seen?.sample);
  report.allowed_services = report.services
    .filter(({ status }) => status === 'ready')
    .map(({ service }) => service);
  judgeServices(report, kind, add);
  if (seen !== undefined) {
    const { workspaces, projects, repositories, complete } = seen;
    report.visible = { workspaces: workspaces.length, projects, repositories, complete };
    report.webhooks = await webhooksOf(asker, seen, { vocabulary, granted, target });
    judgeVisible(report, kind, add);
  }
  warnings(report, credential, granted ?? [], add);
  if (report.account !== null && verdictOf(report.findings) !== 'failed') {
    report.findings.unshift({ ...connectionOk(report.account.name), severity: 'info' });
  }
}

/** undefined: it may not look, or its place is not there; then the scopes say what they can. */
async function look(
  asker: Asker,
  target: ReturnType<typeof tokenTarget>,
  add: Add,
): Promise<Seen | undefined> {
  try {
    return target === undefined ? await seenByUser(asker) : await seenByToken(asker, target);
  } catch (error) {
    if (error instanceof AuthRefused) throw error;
    // The lacking scope is reported from the table of scopes.
    if (error instanceof ScopeMissing) return undefined;
    if (!(error instanceof BitbucketError) || error.retry.kind !== 'never') throw error;
    add('error', error.finding);
    return undefined;
  }
}

/** Bitbucket's own words for the kinds of access tokens; a repository's is shortened there (facts 1.5). */
function tokenAccount(
  type: string | null,
  fields: Readonly<Record<string, string>>,
): ConnectionReport['account'] {
  if (type === null || !type.endsWith('_access_token')) return null;
  const kind = type === 'repo_access_token' ? 'repository_access_token' : type;
  const place = [fields['workspace'], fields['repository'] ?? fields['project']]
    .filter((part) => part !== undefined && part !== '')
    .join('/');
  return { uuid: null, name: `${kind.replaceAll('_', ' ')} of ${place}`, kind };
}

/** A service that cannot run is a warning; no service at all fails the check. */
function judgeServices(report: ConnectionReport, kind: CredentialKind, add: Add): void {
  const none = report.allowed_services.length === 0;
  for (const { service, status, missing_scopes: missing } of report.services) {
    if (status === 'missing_scopes') {
      const details = { service };
      const finding = missingScopesFinding(kind, SERVICE_NAMES[service], missing, details);
      add(none ? 'error' : 'warning', finding);
    } else if (status === 'unavailable') {
      add('info', {
        code: 'tickets_removed',
        message: 'Bitbucket removed its issue tracker on 20 August 2026, so there are no tickets to import.',
        remedy: 'Nothing to do: repositories and pull requests are not affected.',
      });
    }
  }
}

function judgeVisible(report: ConnectionReport, kind: CredentialKind, add: Add): void {
  if (report.visible?.workspaces === 0) add('warning', nothingVisible('workspace'));
  else if (report.visible?.repositories === 0) add('warning', nothingVisible('repository'));
  for (const { workspace, status, missing_scopes: missing } of report.webhooks) {
    // Webhooks make changes arrive sooner; nothing depends on them.
    if (status === 'not_admin') add('info', notWorkspaceAdmin(workspace));
    if (status === 'repositories_only') add('info', repositoriesOnly(workspace));
    if (status === 'missing_scopes' && workspace === report.webhooks[0]?.workspace) {
      add('info', missingScopesFinding(kind, 'To set up webhooks', missing, { webhooks: true }));
    }
  }
}

function warnings(
  report: ConnectionReport,
  { kind, expiresOn }: CheckedCredential,
  granted: string[],
  add: Add,
): void {
  report.scopes.excess = excessScopes(report.scopes.vocabulary, granted);
  if (report.scopes.excess.length > 0) add('warning', excessScopesFinding(kind, report.scopes.excess));
  const expiring = expiryWarning(expiresOn, Date.now());
  if (expiring !== null) add('warning', expiring);
}
