import { resolve as absolute } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { loadOperatorConfig } from '../platform/config.ts';
import { createOperator, isRole, type Operator } from './apiKeys/operator.ts';
import { dataFolderOf, readLastStart } from './start/lastStart.ts';

const USAGE = `Organizations and their API keys. Needs DATABASE_OWNER_URL, the Postgres URL of the owner;
without it, npm start must be running, and its database is meant (--data FOLDER: the folder that it was given).

  npm run api-key -- create --organization NAME|ID --role viewer|manager|admin [--label TEXT] [--expires DAYS]
  npm run api-key -- list
  npm run api-key -- revoke PREFIX
  npm run api-key -- organization create NAME
  npm run api-key -- organization list
  npm run api-key -- return-url add --organization NAME|ID URL   where OAuth may send a browser back to, exactly

viewer reads; manager connects, creates and imports; admin also deletes. A key is shown once: only its hash is kept.
An organization that is named but not there yet is made.`;

const ROOT = fileURLToPath(new URL('..', import.meta.url));

class UsageError extends Error {}

const OPTIONS = {
  organization: { type: 'string' },
  role: { type: 'string' },
  label: { type: 'string' },
  expires: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean' },
} as const;

type Values = { organization?: string; role?: string; label?: string; expires?: string };

function needed(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`${name} is missing.`);
  return value;
}

async function createKey(operator: Operator, values: Values): Promise<void> {
  const role = needed(values.role, '--role');
  if (!isRole(role)) throw new UsageError(`--role ${role} is none of viewer, manager, admin.`);
  const days = values.expires === undefined ? undefined : Number(values.expires);
  if (days !== undefined && !(days > 0)) throw new UsageError('--expires takes a number of days above 0.');
  const { key, prefix } = await operator.createKey({
    organization: needed(values.organization, '--organization'),
    role,
    ...(values.label === undefined ? {} : { label: values.label }),
    ...(days === undefined ? {} : { expiresInDays: days }),
  });
  // The key alone on standard output, so that a script can take it.
  console.error(`The key ${prefix}… with the role ${role}. It is shown this once:`);
  console.log(key);
}

async function run(operator: Operator, positionals: string[], values: Values): Promise<void> {
  switch (
    positionals
      .slice(0, positionals[0] === 'organization' || positionals[0] === 'return-url' ? 2 : 1)
      .join(' ')
  ) {
    case 'create':
      return createKey(operator, values);
    case 'list':
      for (const key of await operator.listKeys())
        console.log(
          [key.prefix, key.role.padEnd(7), key.state.padEnd(7), key.organization, key.label].join('  '),
        );
      return;
    case 'revoke':
      if (!(await operator.revokeKey(needed(positionals[1], 'PREFIX'))))
        throw new Error('There is no such key, or it was revoked before.');
      console.log('Revoked: its next request is answered 401.');
      return;
    case 'organization create':
      console.log(await operator.createOrganization(needed(positionals[2], 'NAME')));
      return;
    case 'organization list':
      for (const { id, name, keys, returnUrls } of await operator.listOrganizations())
        console.log([id, name, `${keys} keys`, ...returnUrls].join('  '));
      return;
    case 'return-url add':
      await operator.addReturnUrl(
        needed(values.organization, '--organization'),
        new URL(needed(positionals[2], 'URL')).href,
      );
      console.log('Added.');
      return;
    default:
      throw new UsageError(`There is no command "${positionals.join(' ')}".`);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help === true || positionals.length === 0) {
    console.log(USAGE);
    return;
  }
  const operator = createOperator(await findOwnerUrl(values.data));
  try {
    await run(operator, positionals, values);
  } finally {
    await operator.end();
  }
}

/** As the environment says, or else the database of the last `npm start`. Throws with what to do. */
async function findOwnerUrl(data: string | undefined): Promise<string> {
  const isSet = ['DATABASE_OWNER_URL', 'DATABASE_OWNER_URL_FILE'].some((name) => process.env[name]);
  if (data === undefined && isSet) return loadOperatorConfig().ownerUrl;
  const folder = data === undefined ? dataFolderOf(ROOT) : absolute(data);
  const url = (await readLastStart(folder))?.ownerDatabaseUrl;
  if (url === undefined) {
    throw new Error(
      'Which database? Set DATABASE_OWNER_URL to the Postgres URL of the owner (or DATABASE_OWNER_URL_FILE to a file with it), ' +
        `or run npm start first and leave it running: ${folder} remembers no start.`,
    );
  }
  return url;
}

/** A refused connection, with what to do where it is npm start's own database. */
function explain(error: unknown): string {
  const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
  const message = error instanceof Error ? error.message : String(error);
  return refused
    ? `Postgres does not answer (${message}). Is DATABASE_OWNER_URL right? Without it, leave npm start running.`
    : message;
}

try {
  await main();
} catch (error) {
  const message = explain(error);
  console.error(error instanceof UsageError ? `${message}\n\n${USAGE}` : message);
  process.exitCode = 1;
}
