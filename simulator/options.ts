import type { Size, WorldSpec } from './model/worldSpec.ts';
import type { Era } from './rest/host.ts';

/** Everything about a simulator that can be chosen; the command line offers the most of it. */
export interface SimulatorOptions {
  /** Folders in which git is looked for, as PATH has them. */
  path: string;
  /** A folder where generated git repositories are kept for other simulators too; default none. */
  gitCache?: string;
  /** Address to listen on, default `127.0.0.1`. */
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** How clients reach it, where that differs: `http://simulator:7990`. Stands in every link. */
  publicUrl?: string;
  /** `guide`: a host of 2026-06-01. `today` (default): the host of now. */
  era?: Era;
  /** Default `tiny`. */
  size?: Size;
  /** Instead of `size`: exactly these workspaces and repositories. */
  world?: WorldSpec;
  /** Decides all data and secrets; default 1. */
  seed?: number;
  /** Where git repositories are kept; default a temporary folder that goes with the simulator. */
  dataFolder?: string;
  /** Keeps changes (`mutations`, churn) in `dataFolder`, and makes them again at the next start; default false. */
  keepChanges?: boolean;
  /** Local git repositories to serve too, in the workspace `local`. */
  repositories?: readonly string[];
  /** Requests per rolling window and account, for repository data and for webhooks each; default 1000, 0 for no limits at all. */
  limit?: number;
  /** Length of the rolling window, default an hour. */
  windowMs?: number;
  /** Whether a 429 of the limits carries `Retry-After`; default none, since that is not documented (facts 4.3). */
  retryAfter?: 'none' | 'seconds' | 'date';
  /** Whether account passwords are taken by the API in the era of the guide; default true. */
  passwordLogin?: boolean;
  oauth?: OAuthOptions;
  webhooks?: WebhookOptions;
}

export interface WebhookOptions {
  /** How long an answer may take, default 10000 (facts 5.3). */
  timeoutMs?: number;
  /** Pause before a 5xx is sent again, default 200; the real one is not known. */
  resendAfterMs?: number;
  /** Event keys that only hooks of a workspace can have; default our guess (facts 5.2). */
  workspaceOnlyEvents?: readonly string[];
}

export interface OAuthOptions {
  /** The consumer's registered callback; default takes any address of this machine. */
  callbackUrl?: string;
  /** `expires_in` of access tokens, default 7200 (facts 1.1). */
  accessTokenSeconds?: number;
  /** How long a used refresh token still works, default 600000; null: not at all; re-use answers `unauthorized_client` and ends the whole grant. */
  refreshLeewayMs?: number | null;
  /** Scopes of the consumer. */
  scopes?: readonly string[];
}

/** `--limit 1000`: anonymous callers and git keep their own proportions (facts 4.3). */
export function limitsOf(limit: number): Record<'anonymous' | 'repository' | 'webhook' | 'git', number> {
  if (limit === 0) return { anonymous: 0, repository: 0, webhook: 0, git: 0 };
  return {
    anonymous: Math.max(1, Math.round(limit * 0.06)),
    repository: limit,
    webhook: limit,
    git: limit * 60,
  };
}
