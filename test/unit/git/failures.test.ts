import { expect, test } from 'vitest';
import { readGitFailure } from '../../../activities/git/failures.ts';
import { GitFailed } from '../../../activities/git/gitFailed.ts';

const read = (words: string) => readGitFailure(new GitFailed(['clone'], 128, words), 'ws/repository');

const NO_ACCESS =
  'remote: You may not have access to this repository or it no longer exists in this workspace. ' +
  'If you think this repository exists and you have access, make sure you are authenticated.\n' +
  "fatal: repository 'https://bitbucket.org/ws/repository.git/' not found";

test.each([
  [NO_ACCESS, 'RepositoryGone', 'never'],
  [NO_ACCESS.replace(/fatal.*/, "fatal: Authentication failed for 'https://x/'"), 'RepositoryGone', 'never'],
  ["fatal: Authentication failed for 'https://bitbucket.org/ws/repository.git/'", 'AuthRefused', 'never'],
  [
    'remote: Bitbucket Cloud recently stopped supporting account passwords for Git authentication.\nfatal: …',
    'AuthRefused',
    'never',
  ],
  ['fatal: unable to access: The requested URL returned error: 403', 'Forbidden', 'never'],
  ['fatal: unable to access: The requested URL returned error: 429', 'RateLimited', 'later'],
  ['error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503', 'Upstream', 'always'],
  ['fatal: unable to access: Could not resolve host: bitbucket.org', 'Unreachable', 'always'],
  ['fatal: unable to access: Failed to connect to bitbucket.org port 443', 'Unreachable', 'always'],
  ['fatal: unable to access: server certificate verification failed', 'Unreachable', 'always'],
  ['error: RPC failed; curl 18 transfer closed\nfatal: early EOF', 'Unreachable', 'always'],
  ['fatal: unable to access: Operation too slow. Less than 1 bytes/sec', 'Unreachable', 'always'],
  ['fatal: write error: No space left on device', 'DiskFull', 'always'],
])('%s', (words, type, kind) => {
  expect(read(words)).toMatchObject({ type, retry: { kind } });
});

const refusedFile = (code: string, syscall: string) =>
  Object.assign(new Error(`${code}, ${syscall} '/clones'`), { code, syscall, path: '/clones' });

test('a full disk says what to do, whoever met it', () => {
  const met = refusedFile('ENOSPC', 'mkdir');
  expect(readGitFailure(met, 'ws/repository')).toMatchObject({
    finding: { code: 'disk_full', remedy: expect.stringContaining('CLONE_FOLDER') },
  });
});

test('what is neither host, network nor disk is tried a few times, and says what git said; a bug stays as it is', () => {
  const damaged = new GitFailed(['log'], 128, 'fatal: bad object deadbeef');
  expect(readGitFailure(damaged, 'ws/repository')).toMatchObject({
    type: 'GitUnclear',
    retry: { kind: 'limited', attempts: 5 },
    finding: { code: 'git_failed', message: expect.stringContaining('bad object deadbeef') as string },
  });
  expect(readGitFailure(new GitFailed(['log'], null, ''), 'ws/repository')).toMatchObject({
    finding: { message: expect.stringContaining('was killed') as string },
  });
  const own = new TypeError('a bug');
  expect(readGitFailure(own, 'ws/repository')).toBe(own);
});
