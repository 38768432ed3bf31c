import { log } from '@temporalio/activity';
import { pullRequestsBy } from '../../forecast/polling.ts';
import type { Database, Transaction } from '../../db/client.ts';
import type { PolledRepository } from '../../db/queries/poll/keptRepositories.ts';
import {
  countAskable,
  endWorkspacePoll,
  type PolledWorkspace,
  type PollMethod,
  readPolledWorkspace,
} from '../../db/queries/poll/workspaces.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import type { Service } from '../../workflows/words.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketAnswer, BitbucketClient, CredentialRef } from '../bitbucket/client.ts';
import type { TokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { BitbucketError } from '../bitbucket/errors.ts';
import { mayPass } from '../bitbucket/mayPass.ts';
import type { Page } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import { canonicalInstant } from '../streams/instants.ts';
import { isLeft } from '../tries.ts';
import type { TellSyncs } from './hints.ts';
import { begin, type Place } from './place.ts';

/** What the steps of a round work with; the functions below are what they have in common: to ask, to tell, to move on. */
export interface PollContext {
  database: Database;
  client: BitbucketClient;
  integration: OfIntegration;
  services: readonly Service[];
  credential: CredentialRef;
  asker: Asker;
  /** an access token lists what it covers */
  target: TokenTarget | undefined;
  tell: TellSyncs;
  signal: AbortSignal;
}

export interface PollStep {
  /** null: the round is at its end */
  place: Place | null;
  requests: number;
  /** repositories that were found changed */
  found: number;
}

const MAX_PAGES = 10_000;
const MAX_WAIT_MS = 20_000;
/** Bitbucket's word that there is nothing here, or nothing for this account. */
export const REFUSALS: ReadonlySet<string> = new Set([
  'BadRequest',
  'FeatureGone',
  'Forbidden',
  'NotFound',
  'RepositoryGone',
  'ScopeMissing',
]);

export const inTransaction = <T>(
  { database, integration }: Pick<PollContext, 'database' | 'integration'>,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> => database.transaction(integration.organizationId, work);

/**
 * What `read` makes of the list at `path`, or of where the one in hand goes on; undefined where Bitbucket says that there is
 * nothing for this account, and where it was asked often enough. Throws the client's other errors, and those of `read`.
 */
export async function ask<T>(
  { client, credential, signal, asker }: Pick<PollContext, 'client' | 'credential' | 'signal' | 'asker'>,
  place: Place,
  path: string,
  read: (answer: BitbucketAnswer) => T,
): Promise<T | undefined> {
  const at = place.next === null ? { path } : { next: place.next };
  try {
    return read(await client.get({ credential, signal, asker, maxWaitMs: MAX_WAIT_MS, ...at }));
  } catch (error) {
    if (!(error instanceof BitbucketError)) throw error;
    if (REFUSALS.has(error.type)) return undefined;
    if (!mayPass(error) || !isLeft(place, error)) throw error;
    log.warn('A poll round goes on without a list', { code: error.finding.code, path: error.path });
    return undefined;
  }
}

/** The next page of the list in hand; undefined: there is none. Throws InvalidResponse for a list without an end. */
export function following(place: Place, page: Page, path: string): Place | undefined {
  if (page.next === null) return undefined;
  if (page.next === place.next || place.pages >= MAX_PAGES) throw unreadable(path, 'does not end');
  return { ...place, next: page.next, pages: place.pages + 1 };
}

/** The place once Bitbucket has answered: the first answer is when the round began for the workspace in hand. */
export const dated = (place: Place, { date, observedAt }: BitbucketAnswer): Place => ({
  ...place,
  began: place.began ?? canonicalInstant(date ?? observedAt),
});

/** Tells the syncs of repositories what may have changed there; returns how many repositories they are. */
export async function hint(
  { tell, integration, signal }: Pick<PollContext, 'tell' | 'integration' | 'signal'>,
  repositories: PolledRepository[],
  changed: Service[],
  by: 'poll' | 'rotation' = 'poll',
): Promise<number> {
  await tell(integration, { repositories, services: changed, by }, signal);
  return repositories.length;
}

/** A step that asked nothing. */
export const move = (place: Place | null): PollStep => ({ place, requests: 0, found: 0 });

/** Begins with the workspace behind the one in hand; behind the last comes the rotation. */
export async function nextWorkspace(context: PollContext, place: Place): Promise<Place> {
  const found = await inTransaction(context, (tx) =>
    readPolledWorkspace(tx, { ...context.integration, after: place.workspaceId }),
  );
  if (found === undefined) return begin(place, 'rotation');
  return begin(place, 'pushes', { workspaceId: found.workspaceId, began: null, incomplete: false });
}

/** How changed pull requests of the workspace are found in this round. */
export async function beginPullRequests(
  context: PollContext,
  place: Place,
  workspace: PolledWorkspace,
): Promise<Place> {
  if (!context.services.includes('pull_requests')) return endWorkspace(context, place, null);
  if (workspace.membersDue && context.target === undefined) return begin(place, 'members');
  return chooseMethod(context, place);
}

/** The cheaper way to find changed pull requests of the workspace in hand, at its start. */
export async function chooseMethod(context: PollContext, place: Place): Promise<Place> {
  const { integration, target } = context;
  const { workspaceId } = place;
  if (workspaceId === null) return nextWorkspace(context, place);
  const counts = await inTransaction(context, (tx) => countAskable(tx, { ...integration, workspaceId }));
  // An access token may see a part of the workspace only: its repositories are asked by themselves.
  const step = target === undefined ? pullRequestsBy(counts) : 'repositories';
  return begin(place, step, { given: false, withheld: false });
}

/** All that changed before the round's first answer is told: the next one asks from there. */
export async function endWorkspace(
  context: PollContext,
  place: Place,
  method: PollMethod | null,
): Promise<Place> {
  const { workspaceId, began, incomplete } = place;
  if (workspaceId !== null && began !== null && !incomplete) {
    await inTransaction(context, (tx) =>
      endWorkspacePoll(tx, { ...context.integration, workspaceId, since: began, method }),
    );
  }
  return nextWorkspace(context, place);
}
