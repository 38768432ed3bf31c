import { migrate } from '../db/migrate.ts';
import { provision } from '../db/provision.ts';
import { loadMigrationConfig } from '../platform/config.ts';

/** `npm run db:migrate`: prepares Postgres where asked to, then brings it to the newest schema. Safe to run again. */
async function main(): Promise<void> {
  const { ownerUrl, provisioning } = loadMigrationConfig();
  if (provisioning !== undefined) {
    const database = decodeURIComponent(new URL(ownerUrl).pathname.slice(1));
    await provision({ ...provisioning, database });
    process.stdout.write(`Roles and database ${database} are there.\n`);
  }
  await migrate({ ownerUrl });
  process.stdout.write('The database has the newest schema.\n');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
