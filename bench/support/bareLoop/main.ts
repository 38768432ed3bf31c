/** The bare loop as a process, as the worker is one. Its only argument is JSON; its output the seconds it took. */
import { z } from 'zod';
import { createDatabase } from '../../../db/client.ts';
import { bareLoop } from './loop.ts';
import { createSource } from './source.ts';

const input = z
  .object({
    simulator: z.string(),
    login: z.string(),
    secret: z.string(),
    databaseUrl: z.string(),
    organizationId: z.string(),
    repositoryId: z.string(),
    fullName: z.string(),
    folder: z.string(),
    parts: z.array(z.string()),
  })
  .parse(JSON.parse(process.argv[2] ?? ''));

const { simulator, databaseUrl, ...rest } = input;
const database = createDatabase({ url: databaseUrl, maxConnections: 2, applicationName: 'bare-loop' });
const source = createSource(simulator, input);
// What the worker has done when an import reaches it: code loaded, connections open.
await source.get(`/repositories/${input.fullName}`);
await database.withoutTenant(async () => {});
const begun = performance.now();
await bareLoop({ ...rest, database, source });
process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - begun) / 1_000 })}\n`);
await database.end();
