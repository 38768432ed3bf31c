import type { Person } from '../model/people.ts';
import { secretText } from '../model/random.ts';
import type { OAuthOptions } from '../options.ts';

/** A registered OAuth client of a workspace (facts 1.1). */
export interface Consumer {
  key: string;
  secret: string;
  name: string;
  /** Acts through `client_credentials`. */
  owner: Person;
  scopes: readonly string[];
  /** Null: any address of this machine. A sent `redirect_uri` must be the callback or extend it. */
  callbackUrl: string | null;
}

const READ_SCOPES = ['account', 'project', 'repository', 'pullrequest', 'issue', 'webhook'];

export function createConsumer(seed: number, owner: Person, options: OAuthOptions): Consumer {
  return {
    key: secretText(`${seed}/consumer/key`, 18),
    secret: secretText(`${seed}/consumer/secret`, 32),
    name: 'Bucket Brigade',
    owner,
    scopes: options.scopes ?? READ_SCOPES,
    callbackUrl: options.callbackUrl ?? null,
  };
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Where the answer goes; undefined when the asked address is not the consumer's. */
export function redirectTarget(consumer: Consumer, asked: string | null): string | undefined {
  if (consumer.callbackUrl !== null) {
    if (asked === null) return consumer.callbackUrl;
    return asked.startsWith(consumer.callbackUrl) ? asked : undefined;
  }
  if (asked === null || !URL.canParse(asked)) return undefined;
  return LOOPBACK.has(new URL(asked).hostname) ? asked : undefined;
}
