import type { CredentialKind, Finding, Service, Verdict } from '../../../workflows/words.ts';
import type { Vocabulary } from '../scopes.ts';

/** `error` fails the check, `warning` makes it `ok_with_warnings`, `info` changes nothing. */
export type Severity = 'error' | 'warning' | 'info';

export interface ReportFinding extends Finding {
  severity: Severity;
}

export interface ServiceReport {
  service: Service;
  /** `unavailable`: the host has no such thing any more (tickets), whatever the scopes */
  status: 'ready' | 'missing_scopes' | 'unavailable';
  missing_scopes: string[];
}

export interface WebhookReport {
  /** slug */
  workspace: string;
  /** `repositories_only`: not for the whole workspace, but for repositories that the account administers */
  status: 'allowed' | 'not_admin' | 'repositories_only' | 'missing_scopes';
  missing_scopes: string[];
}

/** The whole of a connection check (design 5.1), as it is stored and as the API shows it. */
export interface ConnectionReport {
  verdict: Verdict;
  /** host name of the API */
  host: string;
  /** null: Bitbucket did not say */
  account: {
    uuid: string | null;
    name: string;
    /** `user`, `workspace_access_token`, `project_access_token`, `repository_access_token` */
    kind: string;
  } | null;
  credential: {
    kind: CredentialKind;
    /** as Bitbucket names it, e.g. `api_token` */
    type: string | null;
    /** ISO date or time, where one was given */
    expires_on: string | null;
  };
  scopes: {
    vocabulary: Vocabulary;
    /** as granted, not expanded; null: Bitbucket did not say (plain passwords) */
    granted: string[] | null;
    excess: string[];
  };
  services: ServiceReport[];
  /** services that may be turned on */
  allowed_services: Service[];
  webhooks: WebhookReport[];
  /** null: not reached, or not allowed to look */
  visible: {
    workspaces: number;
    /** null: no scope to list projects */
    projects: number | null;
    repositories: number;
    /** false: there are more workspaces than were counted */
    complete: boolean;
  } | null;
  findings: ReportFinding[];
  /** requests that the check made */
  requests: number;
}

export function verdictOf(findings: readonly ReportFinding[]): Verdict {
  if (findings.some(({ severity }) => severity === 'error')) return 'failed';
  return findings.some(({ severity }) => severity === 'warning') ? 'ok_with_warnings' : 'ok';
}
