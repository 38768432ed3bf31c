import { describe, expect, test } from 'vitest';
import { neededScopes, vocabularyOf } from '../../../activities/bitbucket/scopes.ts';
import { bitbucketGuide } from '../../../api/guide.ts';
import { CREDENTIAL_KINDS } from '../../../workflows/words.ts';

const guide = bitbucketGuide({ oauthKey: 'consumer' });

describe('connect guide', () => {
  test('offers every credential kind, OAuth first, and says where OAuth is not configured', () => {
    expect(guide.credential_kinds.map(({ kind }) => kind)).toEqual(CREDENTIAL_KINDS);
    const without = bitbucketGuide({ oauthKey: undefined });
    expect(without.credential_kinds.filter(({ available }) => !available).map(({ kind }) => kind)).toEqual([
      'oauth',
    ]);
  });

  test('names the same scopes as the connection check asks for', () => {
    for (const kind of guide.credential_kinds) {
      const vocabulary = vocabularyOf(kind.kind);
      expect(kind.account_scopes).toEqual(neededScopes(vocabulary, 'account'));
      expect(kind.webhook_scopes).toEqual(neededScopes(vocabulary, 'webhooks'));
      for (const { service, scopes } of kind.service_scopes) {
        expect(scopes, `${kind.kind} ${service}`).toEqual(neededScopes(vocabulary, service));
      }
    }
  });
});
