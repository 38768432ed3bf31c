import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Brings the database of `ownerUrl` to the newest schema. Several may start at once: Drizzle takes no lock
 * of its own, so an advisory lock makes them wait for each other.
 */
export async function migrate({ ownerUrl }: { ownerUrl: string }): Promise<void> {
  const client = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  try {
    await client`select pg_advisory_lock(hashtext('bucket brigade migrations'))`;
    await runMigrations(drizzle(client), { migrationsFolder: FOLDER });
  } finally {
    await client.end();
  }
}
