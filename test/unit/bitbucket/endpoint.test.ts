import { expect, it } from 'vitest';
import { endpointOf } from '../../../activities/bitbucket/endpoint.ts';
import { outcomeOf } from '../../../activities/bitbucket/requestMetrics.ts';

it.each([
  ['/user', '/user'],
  ['/user/workspaces', '/user/workspaces'],
  ['/user/workspaces/acme/permission', '/user/workspaces/{}/permission'],
  ['/workspaces/acme/pullrequests/%7Bx%7D?pagelen=50', '/workspaces/{}/pullrequests/{}'],
  ['/repositories/acme/api', '/repositories/{}/{}'],
  ['/repositories/acme/api/pullrequests/activity', '/repositories/{}/{}/pullrequests/activity'],
  ['/repositories/acme/api/pullrequests/17/comments', '/repositories/{}/{}/pullrequests/{}/comments'],
  // a workspace and a repository that are called like words of the address
  ['/repositories/pullrequests/hooks/commits', '/repositories/{}/{}/commits'],
  ['/repositories/a/b/diffstat/x..y/z/z/z/z/z', '/repositories/{}/{}/diffstat/{}/{}/{}/{}'],
  ['/', '/'],
])('the endpoint of %s holds no name', (path, endpoint) => {
  expect(endpointOf(path)).toBe(endpoint);
});

it.each([
  [200, 'ok'],
  [304, 'unchanged'],
  [302, 'redirected'],
  [404, 'refused'],
  [429, 'limited'],
  [555, 'failed'],
  [null, 'no_answer'],
])('the outcome of %s is %s', (status, outcome) => {
  expect(outcomeOf(status)).toBe(outcome);
});
