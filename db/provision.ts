import postgres from 'postgres';

/** The roles of the design: an owner that migrates, two that work and own nothing, one that only looks up. */
export const OWNER_ROLE = 'bucket_brigade_owner';
export const API_ROLE = 'bucket_brigade_api';
export const WORKER_ROLE = 'bucket_brigade_worker';
export const LOOKUP_ROLE = 'bucket_brigade_lookup';

const RIGHTS = { superuser: false, createdb: false, createrole: false, bypassrls: false };

export interface Provision {
  /** a superuser, or a role that may create roles and databases, as managed ones give */
  adminUrl: string;
  database: string;
  passwords: { owner: string; api: string; worker: string };
}

/**
 * Creates the roles and the database where they are missing, and sets the passwords. Run again, it changes nothing else.
 * None of the roles is a superuser and none bypasses row-level security.
 */
export async function provision({ adminUrl, database, passwords }: Provision): Promise<void> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    await admin.begin(async (tx) => {
      // Roles belong to the whole cluster: two at once would collide in the catalogue.
      await tx`select pg_advisory_xact_lock(hashtext('bucket brigade roles'))`;
      await ensureRole(tx, OWNER_ROLE, passwords.owner);
      await ensureRole(tx, API_ROLE, passwords.api);
      await ensureRole(tx, WORKER_ROLE, passwords.worker);
      await ensureRole(tx, LOOKUP_ROLE, null);
      // The owner hands its look-up functions to this role (ALTER FUNCTION … OWNER needs SET), without gaining its rights.
      await tx.unsafe(`grant ${LOOKUP_ROLE} to ${OWNER_ROLE} with inherit false, set true`);
    });
    const [found] = await admin`select 1 from pg_database where datname = ${database}`;
    if (!found) {
      // A database is given only to a role that one may become; who created that role may grant it to itself.
      const [may] = await admin<[{ set: boolean }]>`select pg_has_role(${OWNER_ROLE}, 'SET') as set`;
      if (!may.set) await admin.unsafe(`grant ${OWNER_ROLE} to current_user with inherit false, set true`);
      await admin`create database ${admin(database)} owner ${admin(OWNER_ROLE)} encoding 'UTF8' template template0`.catch(
        (error: unknown) => {
          // somebody else created it in between: 42P04 when it stands, 23505 when both were at it
          if (!(error instanceof postgres.PostgresError && ['42P04', '23505'].includes(error.code)))
            throw error;
        },
      );
    }
  } finally {
    await admin.end();
  }
}

async function ensureRole(tx: postgres.TransactionSql, role: string, password: string | null): Promise<void> {
  const [found] = await tx<Record<string, boolean>[]>`
    select rolcanlogin as login, rolsuper as superuser, rolcreatedb as createdb, rolcreaterole as createrole,
      rolbypassrls as bypassrls
    from pg_roles where rolname = ${role}`;
  const wanted = { ...RIGHTS, login: password !== null };
  // Only a superuser may alter some of them, even to what they are.
  const options = Object.entries(wanted)
    .filter(([name, has]) => found?.[name] !== has)
    .map(([name, has]) => (has ? name : `no${name}`));
  if (password !== null) options.push(`password '${password.replaceAll("'", "''")}'`);
  if (options.length > 0) await tx.unsafe(`${found ? 'alter' : 'create'} role ${role} ${options.join(' ')}`);
}
