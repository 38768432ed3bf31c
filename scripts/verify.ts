import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { createDatabase } from '../db/client.ts';
import { describeDifferences, isExact } from './oracle/compare.ts';
import { verifyOrganization } from './oracle/verifyOrganization.ts';
import { dataFolderOf, openInstallation } from './start/installation.ts';

const HELP = `npm run verify -- [options]

Compares every imported repository in Postgres with the simulator's own truth, record by record, and prints
how many are lost, extra, stale, duplicated or corrupted. Ends with 0 when all are zero. Without options it takes
what the last npm start remembers.

  --simulator URL      the simulator's address
  --database URL       Postgres, as a role that may read the records
  --organization ID    whose rows
  --data FOLDER        the folder that npm start was given`;

const root = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    simulator: { type: 'string' },
    database: { type: 'string' },
    organization: { type: 'string' },
    data: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  if (values.help === true) {
    print(HELP);
    return 0;
  }
  const { memory } = await openInstallation(values.data ?? dataFolderOf(root), false);
  const simulatorUrl = values.simulator ?? memory.simulator;
  const url = values.database ?? memory.workerDatabaseUrl;
  const organizationId = values.organization ?? memory.organizationId;
  if (simulatorUrl === undefined || url === undefined || organizationId === undefined) {
    print(
      'Nothing to verify: run npm start first and leave it running, or name --simulator, --database and --organization.',
    );
    return 2;
  }
  const database = createDatabase({ url, maxConnections: 2, applicationName: 'verify' });
  try {
    const found = await verifyOrganization({ database, organizationId, simulatorUrl });
    for (const example of found.examples) print(`  ${example}`);
    print(`${found.records} records of ${found.repositories} repositories compared`);
    print(describeDifferences(found));
    return isExact(found) ? 0 : 1;
  } finally {
    await database.end();
  }
}

process.exitCode = await main();
