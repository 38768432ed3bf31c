import { resolve as absolute } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { createDatabase } from '../db/client.ts';
import { describeDifferences, isExact } from './oracle/compare.ts';
import { verifyOrganization } from './oracle/verifyOrganization.ts';
import { whyUnreachable } from './oracle/whyUnreachable.ts';
import { dataFolderOf, readLastStart } from './start/lastStart.ts';

const HELP = `npm run verify -- [options]

Compares every imported repository in Postgres with the simulator's own truth, record by record, and prints
how many are lost, extra, stale, duplicated or corrupted. Without options it takes what the last npm start
remembers, which must be running.

  --simulator URL      the simulator's address
  --database URL       Postgres, as a role that may read the records
  --organization ID    whose rows
  --data FOLDER        the folder that npm start was given
  --help               this text

Ends with 0 when all are zero, with 1 when not, with 2 when there is nothing to compare.`;

const root = fileURLToPath(new URL('..', import.meta.url));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Nothing could be compared; the message says what to do. */
class NothingToVerify extends Error {}

const options = {
  simulator: { type: 'string' },
  database: { type: 'string' },
  organization: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function parse() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new NothingToVerify(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
}

async function main(): Promise<number> {
  const values = parse();
  if (values.help === true) {
    print(HELP);
    return 0;
  }
  const folder = values.data === undefined ? dataFolderOf(root) : absolute(values.data);
  const memory = await readLastStart(folder);
  const simulatorUrl = values.simulator ?? memory?.simulator;
  const url = values.database ?? memory?.workerDatabaseUrl;
  const organizationId = values.organization ?? memory?.organizationId;
  if (simulatorUrl === undefined || url === undefined || organizationId === undefined) {
    throw new NothingToVerify(
      `No start with a simulator is remembered in ${folder}. Run npm start first and leave it running, or name --simulator, --database and --organization.`,
    );
  }
  const database = createDatabase({ url, maxConnections: 2, applicationName: 'verify' });
  try {
    const down = await whyUnreachable({ simulatorUrl, database, organizationId });
    if (down !== undefined) throw new NothingToVerify(`${down} Run npm start first and leave it running.`);
    return await compare({ database, organizationId, simulatorUrl });
  } finally {
    await database.end();
  }
}

async function compare(input: Parameters<typeof verifyOrganization>[0]): Promise<number> {
  const found = await verifyOrganization(input);
  for (const example of found.examples) print(`  ${example}`);
  for (const name of found.notImported) print(`  not imported: ${name}`);
  if (found.repositories === 0) {
    throw new NothingToVerify('No repository was imported yet, so there is nothing to compare.');
  }
  print(`${found.records} records of ${found.repositories} repositories compared`);
  print(describeDifferences(found));
  return isExact(found) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof NothingToVerify ? 2 : 1;
}
