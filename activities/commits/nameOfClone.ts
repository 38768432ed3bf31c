import { cancellationSignal } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import { type GitTarget, readGitTarget } from '../../db/queries/gitTargets.ts';
import { countNamingRecords } from '../../db/queries/importProgress.ts';
import type { OfRepository } from '../../workflows/contracts/tenant.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import type { CredentialStore } from '../credentials/credentialStore.ts';
import { mustBeItself, namedPlace, Replaced } from '../streams/replaced.ts';

interface Dependencies {
  database: Database;
  client: BitbucketClient;
  credentials: Pick<CredentialStore, 'ofIntegration'>;
}

type Input = OfRepository & { importId: string };

/**
 * A clone does not say whose it is, and the first has no history to be held against: the first page of the API says so
 * (`readFirst`, of an import that reads it anyhow), or the name is looked up, with one request.
 * Throws Replaced where another repository has the name, and the client's errors.
 */
export async function mustBeNamed(
  { database, client, credentials }: Dependencies,
  input: Input,
  of: { target: GitTarget; asker: Asker; readFirst: (() => Promise<void>) | undefined },
): Promise<void> {
  const { target, asker, readFirst } = of;
  if (readFirst !== undefined && (await namesIt(database, input, { target, readFirst }))) return;
  const credential = await credentials.ofIntegration(input);
  const request = { credential, signal: cancellationSignal(), asker };
  mustBeItself(target, (await client.get({ ...request, ...namedPlace(target) })).json);
}

/** Whether what the API shows now is of the repository. Throws Replaced where that is read under another name by now. */
async function namesIt(
  database: Database,
  input: Input,
  { target, readFirst }: { target: GitTarget; readFirst: () => Promise<void> },
): Promise<boolean> {
  const count = () => database.read(input.organizationId, (tx) => countNamingRecords(tx, input));
  const before = await count();
  await readFirst();
  const now = await database.read(input.organizationId, (tx) => readGitTarget(tx, input));
  if (now?.fullName !== target.fullName) throw new Replaced(target.fullName);
  return (await count()) > before;
}
