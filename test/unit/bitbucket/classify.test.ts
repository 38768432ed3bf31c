import { describe, expect, it } from 'vitest';
import { classify } from '../../../activities/bitbucket/classify.ts';
import type { RateLimited } from '../../../activities/bitbucket/errors.ts';
import type { CredentialKind } from '../../../workflows/words.ts';

const REPOSITORY = '/repositories/acme/rocket';

function asked(
  status: number,
  {
    path = REPOSITORY,
    body = '',
    headers = {},
    kind = 'api_token',
    blockedUntil,
    writes = false,
  }: {
    path?: string;
    body?: string;
    headers?: Record<string, string>;
    kind?: CredentialKind;
    blockedUntil?: string;
    writes?: boolean;
  } = {},
) {
  const bytes = new TextEncoder().encode(body);
  return classify({ status, headers: new Headers(headers), bytes }, { path, kind, blockedUntil, writes });
}

const scopeBody = JSON.stringify({
  type: 'error',
  error: {
    message: 'Your credentials lack one or more required privilege scopes.',
    detail: { granted: ['account', 'pullrequest:write'], required: ['project'] },
  },
});
const goneBody = JSON.stringify({
  type: 'error',
  error: { message: 'x', data: { announcement_url: 'https://developer.atlassian.com/#CHANGE-3071' } },
});

describe('what an error answer means', () => {
  it.each([
    [400, {}, 'BadRequest', 'request_refused', 'never'],
    [400, { body: '<html>' }, 'BadRequest', 'request_refused', 'never'],
    [401, {}, 'AuthRefused', 'invalid_credentials', 'never'],
    [403, { body: scopeBody }, 'ScopeMissing', 'missing_scopes', 'never'],
    [403, { body: 'Access denied.' }, 'Forbidden', 'forbidden', 'never'],
    [403, { body: '{"type":"error","error":{"message":"Forbidden"}}' }, 'Forbidden', 'forbidden', 'never'],
    [404, {}, 'RepositoryGone', 'repository_gone', 'never'],
    [404, { body: '<!DOCTYPE html>' }, 'RepositoryGone', 'repository_gone', 'never'],
    [404, { path: `${REPOSITORY}/pullrequests` }, 'RepositoryGone', 'repository_gone', 'never'],
    [404, { path: `${REPOSITORY}/pullrequests/activity` }, 'RepositoryGone', 'repository_gone', 'never'],
    [404, { path: `${REPOSITORY}/pullrequests/7` }, 'NotFound', 'not_found', 'never'],
    [404, { path: `${REPOSITORY}/pullrequests/7/comments` }, 'NotFound', 'not_found', 'never'],
    [404, { path: `${REPOSITORY}/issues` }, 'NotFound', 'not_found', 'never'],
    [404, { path: '/workspaces/x' }, 'NotFound', 'not_found', 'never'],
    [406, {}, 'BadRequest', 'request_refused', 'never'],
    [409, {}, 'BadRequest', 'request_refused', 'never'],
    [410, { path: `${REPOSITORY}/issues`, body: goneBody }, 'FeatureGone', 'tickets_removed', 'never'],
    [410, { path: '/workspaces', body: goneBody }, 'FeatureGone', 'feature_removed', 'never'],
    [429, {}, 'RateLimited', 'rate_limited', 'later'],
    [429, { body: 'Rate limit for this resource has been exceeded' }, 'RateLimited', 'rate_limited', 'later'],
    [500, {}, 'Upstream', 'upstream_error', 'always'],
    [502, { body: '<html>' }, 'Upstream', 'upstream_error', 'always'],
    [503, {}, 'Upstream', 'upstream_error', 'always'],
    [555, {}, 'Upstream', 'answer_takes_too_long', 'always'],
  ] as const)('%i %j is %s', (status, details, type, code, retry) => {
    const error = asked(status, details);
    expect([error.type, error.finding.code, error.retry.kind]).toEqual([type, code, retry]);
    expect(error.status).toBe(status);
    expect(error.finding.remedy).not.toBe('');
  });

  it('names the scopes that a 403 lists', () => {
    expect(asked(403, { body: scopeBody }).finding.details).toMatchObject({
      missing: ['project'],
      granted: ['account', 'pullrequest:write'],
    });
  });

  it('finds missing scopes by the headers where the body has none, in the same vocabulary only', () => {
    const headers = { 'x-accepted-oauth-scopes': 'webhook' };
    const lacking = asked(403, { headers: { ...headers, 'x-oauth-scopes': 'account, repository' } });
    expect(lacking.type).toBe('ScopeMissing');
    expect(lacking.finding.details).toMatchObject({ missing: ['webhook'] });
    expect(asked(403, { headers: { ...headers, 'x-oauth-scopes': 'webhook' } }).type).toBe('Forbidden');
    const granular = { ...headers, 'x-oauth-scopes': 'read:user:bitbucket' };
    expect(asked(403, { headers: granular }).type).toBe('Forbidden');
    const implied = { 'x-accepted-oauth-scopes': 'repository', 'x-oauth-scopes': 'pullrequest' };
    expect(asked(403, { headers: implied }).type).toBe('Forbidden');
  });

  it('keeps the hashes of a commit that is not there, and the announcement of what was removed', () => {
    const body = '{"type":"error","error":{"message":"Commit not found","data":{"shas":["abc"]}}}';
    const error = asked(404, { path: `${REPOSITORY}/commits/abc`, body });
    expect([error.type, error.finding.details]).toEqual(['NotFound', { shas: ['abc'] }]);
    const gone = asked(410, { path: `${REPOSITORY}/issues`, body: goneBody });
    expect(gone.finding.details).toEqual({ announcement: 'https://developer.atlassian.com/#CHANGE-3071' });
  });

  it('a list of commits that names the ones it does not know speaks of them, not of the repository', () => {
    const path = `${REPOSITORY}/commits`;
    const nested = '{"type":"error","error":{"message":"Commit not found","data":{"shas":["abc"]}}}';
    const atTop = '{"type":"error","error":{"message":"Commit not found"},"data":{"shas":["abc"]}}';
    for (const body of [nested, atTop]) {
      const error = asked(404, { path, body });
      expect([error.type, error.finding.details]).toEqual(['NotFound', { shas: ['abc'] }]);
    }
    for (const body of ['', '{"type":"error","error":{"message":"x","data":{"shas":[]}}}']) {
      expect(asked(404, { path, body }).type).toBe('RepositoryGone');
    }
  });

  it('says until when a limit holds', () => {
    const error = asked(429, { blockedUntil: '2026-11-23T13:00:00.000000Z' }) as RateLimited;
    expect(error.until).toBe('2026-11-23T13:00:00.000000Z');
    expect(error.finding.details).toEqual({ until: '2026-11-23T13:00:00.000000Z' });
  });

  it('never repeats a body: error pages show the profile of the caller', () => {
    for (const status of [400, 401, 403, 404, 409, 410, 429, 500, 503]) {
      const error = asked(status, { body: '<html>somebody@example.org</html>' });
      expect(`${JSON.stringify(error)} ${error.message}`).not.toContain('somebody');
    }
  });

  it('says of a body which parts of it were refused, and nothing of what Bitbucket says about them', () => {
    const fields = { url: ['https://secret.example is not reachable'], 'a b': ['x'], events: 'no' };
    const body = JSON.stringify({ type: 'error', error: { message: 'Bad request', fields } });
    const { finding } = asked(400, { body, path: `${REPOSITORY}/hooks`, writes: true });
    expect(finding.details).toEqual({ fields: ['url', 'events'] });
    expect(JSON.stringify(finding)).not.toContain('secret.example');
  });

  it('speaks of a change where something was to be changed', () => {
    const path = '/workspaces/x/hooks';
    expect(asked(403, { path, writes: true }).finding.message).toContain('does not let this account change');
    expect(asked(403, { path, body: scopeBody, writes: true }).finding.message).toContain('To change');
    expect(asked(403, { path }).finding.message).toContain('does not let this account read');
  });
});
