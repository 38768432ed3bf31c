import { execFileSync } from 'node:child_process';

/** Whom to run Postgres as: itself refuses to run as root. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

function idOf(flag: '-u' | '-g'): number | undefined {
  try {
    return Number.parseInt(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: 'pipe' }), 10);
  } catch {
    return undefined;
  }
}

/**
 * The system user `postgres`, made when it is missing; nothing when we are not root, since then our own user will do.
 * Throws when the user cannot be made, with what to do.
 */
export function postgresUser(): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (idOf('-u') === undefined) {
    try {
      execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], {
        stdio: 'pipe',
      });
    } catch (error) {
      throw new Error(
        'Postgres refuses to run as root, and a user "postgres" could not be made. ' +
          'Run this as an ordinary user, make that user (useradd postgres), or set DATABASE_URL to a server of yours.',
        { cause: error },
      );
    }
  }
  const uid = idOf('-u');
  const gid = idOf('-g');
  if (uid === undefined || gid === undefined) throw new Error('The user "postgres" has no id.');
  return { uid, gid };
}

/** Whether a user may read (and pass through all folders to) a path. */
export function canRead(path: string, user: PostgresUser | undefined): boolean {
  try {
    execFileSync('test', ['-r', path], { stdio: 'pipe', ...(user === undefined ? {} : user) });
    return true;
  } catch {
    return false;
  }
}
