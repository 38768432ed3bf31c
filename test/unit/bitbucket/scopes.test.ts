import { describe, expect, it } from 'vitest';
import { excessScopes, expandScopes, missingScopes } from '../../../activities/bitbucket/scopes.ts';

/** Every subset of a list. */
function* subsets(names: readonly string[]): Generator<string[]> {
  for (let bits = 0; bits < 2 ** names.length; bits += 1) {
    yield names.filter((_, index) => (bits & (1 << index)) !== 0);
  }
}

const OAUTH = [
  'account',
  'project',
  'repository',
  'repository:write',
  'repository:admin',
  'pullrequest',
  'pullrequest:write',
  'issue',
  'issue:write',
  'webhook',
  'project:admin',
];
const GRANULAR = [
  'read:user',
  'read:workspace',
  'read:repository',
  'write:repository',
  'read:pullrequest',
  'write:pullrequest',
  'read:issue',
  'read:project',
  'read:webhook',
  'write:webhook',
  'delete:webhook',
].map((name) => `${name}:bitbucket`);

describe('the scopes that a service needs', () => {
  it('are granted or missing, for every subset of the OAuth scopes', () => {
    for (const granted of subsets(OAUTH)) {
      const has = (...names: string[]) => names.some((name) => granted.includes(name));
      // facts 1.2, written out once more
      const account = has('account');
      const repository = has('repository', 'repository:write', 'project', 'pullrequest', 'pullrequest:write');
      const pullRequests = has('pullrequest', 'pullrequest:write');
      const tickets = has('issue', 'issue:write') && repository;
      const webhooks = has('webhook') && pullRequests;
      const ready = (what: Parameters<typeof missingScopes>[1]) =>
        missingScopes('oauth', what, granted).length === 0;
      const found = [
        ready('account'),
        ready('repositories'),
        ready('pull_requests'),
        ready('tickets'),
        ready('webhooks'),
      ];
      expect(found, granted.join(' ')).toEqual([account, repository, pullRequests, tickets, webhooks]);
    }
  });

  it('are granted by name only, for every subset of the granular scopes', () => {
    for (const granted of subsets(GRANULAR)) {
      const has = (...names: string[]) => names.every((name) => granted.includes(`${name}:bitbucket`));
      const ready = (what: Parameters<typeof missingScopes>[1]) =>
        missingScopes('granular', what, granted).length === 0;
      const found = [
        ready('account'),
        ready('repositories'),
        ready('pull_requests'),
        ready('tickets'),
        ready('webhooks'),
      ];
      expect(found, granted.join(' ')).toEqual([
        has('read:user', 'read:workspace'),
        has('read:repository'),
        has('read:pullrequest', 'read:repository'),
        has('read:issue', 'read:repository'),
        has('read:webhook', 'write:webhook', 'delete:webhook'),
      ]);
    }
  });

  it('are each named when they are missing', () => {
    expect(missingScopes('oauth', 'tickets', ['account'])).toEqual(['issue', 'repository']);
    expect(missingScopes('granular', 'pull_requests', [])).toEqual([
      'read:pullrequest:bitbucket',
      'read:repository:bitbucket',
    ]);
  });
});

describe('more than is needed', () => {
  it('is what neither reads nor sets up webhooks, for every subset', () => {
    const needless = new Set([
      'repository:write',
      'repository:admin',
      'pullrequest:write',
      'issue:write',
      'project:admin',
      'write:repository:bitbucket',
      'write:pullrequest:bitbucket',
    ]);
    for (const granted of subsets(OAUTH)) {
      expect(excessScopes('oauth', granted)).toEqual(granted.filter((scope) => needless.has(scope)));
    }
    for (const granted of subsets(GRANULAR)) {
      expect(excessScopes('granular', granted)).toEqual(granted.filter((scope) => needless.has(scope)));
    }
  });

  it('includes scopes that we have never heard of', () => {
    expect(excessScopes('oauth', ['account', 'cluster:admin'])).toEqual(['cluster:admin']);
  });
});

it('a write scope of pull requests brings along everything below it', () => {
  expect([...expandScopes('oauth', ['pullrequest:write'])].toSorted()).toEqual([
    'pullrequest',
    'pullrequest:write',
    'repository',
    'repository:write',
  ]);
  expect([...expandScopes('granular', ['write:pullrequest:bitbucket'])]).toEqual([
    'write:pullrequest:bitbucket',
  ]);
});
