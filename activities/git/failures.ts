import {
  AuthRefused,
  type BitbucketError,
  Forbidden,
  InvalidResponse,
  RateLimited,
  RepositoryGone,
  Unreachable,
  type UnreachableStage,
  Upstream,
} from '../bitbucket/errors.ts';
import { EngineError } from '../engineError.ts';
import { GitFailed } from './gitFailed.ts';

/** The worker's disk has no room for the clone. Passes when somebody makes room. */
export class DiskFull extends EngineError {
  override readonly name = 'DiskFull';

  constructor(repository: string) {
    super(
      'DiskFull',
      {
        code: 'disk_full',
        message: `The worker's disk has no room for the clone of ${repository}.`,
        remedy:
          'Make room where CLONE_FOLDER lies, or give it a larger disk; the import then goes on by itself.',
      },
      { retry: { kind: 'always' } },
    );
  }
}

/**
 * The worker's own work on the files of a clone is refused: no right to write there, a disk that fails. It may pass; where it
 * does not, somebody should see it.
 */
export class FilesRefused extends EngineError {
  override readonly name = 'FilesRefused';

  constructor(repository: string, cause: FileError) {
    super(
      'FilesRefused',
      {
        code: 'clone_files_refused',
        message: `The worker could not work on the files of the clone of ${repository} (${cause.code} by ${cause.syscall}).`,
        remedy:
          'Check that the worker may write where CLONE_FOLDER lies, and that the disk is sound; then import again.',
      },
      { retry: { kind: 'limited', attempts: 5 }, cause },
    );
  }
}

/** git failed in a way that nobody has met yet. It may pass; where it does not, somebody should see it. */
export class GitUnclear extends EngineError {
  override readonly name = 'GitUnclear';

  constructor(repository: string, cause: GitFailed) {
    const ended = cause.exitCode === null ? 'was killed' : `ended with ${String(cause.exitCode)}`;
    super(
      'GitUnclear',
      {
        code: 'git_failed',
        message: `git ${ended} while it read ${repository}: ${shortened(cause.lastWords)}`,
        remedy:
          'Import again. If it fails in the same way, report it; killed, it may have found too little memory.',
      },
      { retry: { kind: 'limited', attempts: 5 }, cause },
    );
  }
}

/** git gives no Retry-After; without one the wait starts from a minute (facts 4.3). */
const RATE_LIMIT_WAIT_MS = 60_000;

type Rule = [pattern: RegExp, make: (words: string, repository: string) => BitbucketError | DiskFull];

/**
 * What git's last words mean, in the order in which they are looked for: the host's own text first, then
 * curl's status, then what the network or the disk did. git is run with LC_ALL=C, so the words are always the
 * same.
 */
const RULES: Rule[] = [
  [/may not have access to this repository|no longer exists/i, (_, repository) => gone(repository)],
  [
    /Authentication failed|could not read Username|Invalid credentials|returned error: 401|account passwords/i,
    (_, repository) =>
      new AuthRefused({
        status: 401,
        finding: {
          code: 'invalid_credentials',
          message: `Bitbucket refused the credential for git access to ${repository}.`,
          remedy:
            'Check that the credential is still valid and allows reading repositories, or submit a new one.',
        },
      }),
  ],
  [
    /returned error: 403/,
    (_, repository) =>
      new Forbidden({
        status: 403,
        finding: {
          code: 'repository_forbidden',
          message: `The account may not read ${repository} by git.`,
          remedy: 'Give the account or token read access to the repository (scope for reading repositories).',
        },
      }),
  ],
  [
    /returned error: 429/,
    () =>
      new RateLimited({
        status: 429,
        until: new Date(Date.now() + RATE_LIMIT_WAIT_MS).toISOString(),
        why: 'Bitbucket limits git operations',
        finding: {
          code: 'rate_limited',
          message: 'Bitbucket allows no more git operations at the moment.',
          remedy: 'Nothing to do: the import goes on by itself.',
        },
      }),
  ],
  [/returned error: (?:404|410)|repository \S+ not found/i, (_, repository) => gone(repository)],
  [
    /returned error: 3\d\d|unable to update url base/i,
    (words, repository) =>
      new InvalidResponse({
        status: statusIn(words, 301),
        lasting: true,
        finding: {
          code: 'git_redirected',
          message: `The host sent the clone of ${repository} to another address, where the credential must not go.`,
          remedy: 'Run discover: the repository was probably renamed or moved.',
        },
      }),
  ],
  [
    /returned error: 5\d\d|remote: (?:Internal|Service|Bitbucket is)/i,
    (words, repository) =>
      new Upstream({
        status: statusIn(words, 500),
        finding: {
          code: 'upstream_error',
          message: `Bitbucket could not serve the clone of ${repository}: ${shortened(words)}`,
          remedy: 'Nothing to do: it is tried again by itself.',
        },
      }),
  ],
];

const DISK_FULL = /No space left on device|Disk quota exceeded/;

const NETWORK: [RegExp, UnreachableStage][] = [
  [/Could not resolve/i, 'dns'],
  [/SSL|TLS|certificate/i, 'tls'],
  [/timed out|too slow|Timeout was reached/i, 'timeout'],
  [/Failed to connect|Connection refused|Couldn't connect|No route|unreachable/i, 'connect'],
  [
    /RPC failed|early EOF|hung up|unexpected disconnect|reset by peer|Recv failure|Empty reply|transfer closed|Send failure|curl \d+/i,
    'reset',
  ],
];

/**
 * A failure of git, or of work on its files, as one of the typed errors; what is neither (a bug) comes back unchanged.
 */
export function readGitFailure(error: unknown, repository: string): unknown {
  if (isOfFiles(error)) {
    const isFull = error.code === 'ENOSPC' || error.code === 'EDQUOT';
    return isFull ? new DiskFull(repository) : new FilesRefused(repository, error);
  }
  if (!(error instanceof GitFailed)) return error;
  const words = error.lastWords;
  const said = withoutNames(words);
  if (DISK_FULL.test(said)) return new DiskFull(repository);
  for (const [pattern, make] of RULES) if (pattern.test(said)) return make(words, repository);
  const stage = NETWORK.find(([pattern]) => pattern.test(said))?.[1];
  if (stage === undefined) return new GitUnclear(repository, error);
  return new Unreachable({
    stage,
    neverLeft: stage === 'dns' || stage === 'connect',
    finding: {
      code: 'unreachable',
      message: `The connection broke while git read ${repository}: ${shortened(words)}`,
      remedy:
        'Nothing to do: it is tried again by itself. If it lasts, check the network between worker and Bitbucket.',
    },
  });
}

/**
 * git's words without addresses, paths and refs: people choose those names, and neither is a link broken in
 * `acme/broken-links`, nor TLS at the branch `fix-tls`.
 */
export const withoutNames = (words: string): string =>
  words.replace(/\S+/g, (word) => (word.includes('/') ? '…' : word));

function gone(repository: string): BitbucketError {
  return new RepositoryGone({
    status: 404,
    finding: {
      code: 'repository_gone',
      message: `Bitbucket has no repository ${repository} that this account may read.`,
      remedy:
        'It was deleted, renamed or closed to the account. Run discover, or give the account access again.',
    },
  });
}

/** The HTTP status that curl names; `otherwise`: it names none, and git's words mean that one. */
const statusIn = (words: string, otherwise: number): number =>
  Number(/returned error: (\d{3})/.exec(words)?.[1] ?? otherwise);

interface FileError extends Error {
  code: string;
  syscall: string;
}

/** Node's own file work is refused too; a socket's error names a system call and no path. */
const isOfFiles = (error: unknown): error is FileError =>
  error instanceof Error &&
  'path' in error &&
  'code' in error &&
  typeof error.code === 'string' &&
  'syscall' in error &&
  typeof error.syscall === 'string';

/** The last line tells most; addresses in it carry no credential. */
const shortened = (words: string): string => (words.split('\n').at(-1) ?? '').slice(0, 300);
