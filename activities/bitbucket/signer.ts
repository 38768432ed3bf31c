import type { Secret } from '../../platform/secrets/secret.ts';
import type { CredentialKind } from '../../workflows/words.ts';
import type { CredentialRef } from './client.ts';

/** Who signs: finds the secret, builds the header, renews what can be renewed. */
export interface Signer {
  /**
   * Throws CredentialUnusable when there is nothing to sign with, and AuthRefused where the credential was refused several
   * times in a row (unless `evenIfRefused`). Renews an ending OAuth token first; RateLimited: the installation's consumer
   * cannot, until the operator has seen to it.
   */
  sign(
    credential: CredentialRef,
    signal: AbortSignal,
    options?: { evenIfRefused?: boolean },
  ): Promise<Signature>;
  /** After a 401 for `version`: true when there is now another secret to sign with. */
  renew(credential: CredentialRef, version: number, signal: AbortSignal): Promise<boolean>;
  /** A freshly renewed secret was refused too: renewing does not help (a brownout looks like that). */
  renewalDidNotHelp(credential: CredentialRef, version: number): void;
  /** Bitbucket answered 401 to what was signed, and it was not to be renewed. */
  refused(credential: CredentialRef): Promise<void>;
  /** Bitbucket took a credential whose signature said that it had been refused. */
  accepted(credential: CredentialRef): Promise<void>;
}

export interface Signature {
  authorization: Secret;
  kind: CredentialKind;
  /** what Bitbucket counts the limits by, as far as it is known */
  accountKey: string;
  /** of the stored secret */
  version: number;
  /** the credential's last answer was 401 */
  wasRefused: boolean;
}
