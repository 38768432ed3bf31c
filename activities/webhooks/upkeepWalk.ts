import { randomBytes } from 'node:crypto';
import { v7 as uuid } from 'uuid';
import { z } from 'zod';
import type { Database, Transaction } from '../../db/client.ts';
import { linkWorkspaces, renameWorkspaces } from '../../db/queries/discovery.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { nextRemoval, retireHooks, retireRepositoryHooks } from '../../db/queries/webhookRemovals.ts';
import * as queries from '../../db/queries/webhookTargets.ts';
import type { HookRow, NewHook } from '../../db/queries/webhookTargets.ts';
import type { Upkeep } from '../../db/queries/webhookUpkeep.ts';
import { escapeText } from '../../db/text.ts';
import type { Finding } from '../../workflows/words.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketClient, CredentialRef } from '../bitbucket/client.ts';
import { segment, type TokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { type BitbucketError, Forbidden, NotFound, ScopeMissing } from '../bitbucket/errors.ts';
import type { Hooks } from '../bitbucket/hooks.ts';
import { readPage } from '../bitbucket/paging.ts';
import { parseRecords } from '../bitbucket/records.ts';
import { workspaceAccessSchema } from '../bitbucket/schemas.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import { neededEvents, wantedEvents } from './events.ts';
import {
  adminLost,
  NO_EVENTS,
  NOT_WORKSPACE_ADMIN,
  notRepositoryAdmin,
  REPOSITORY_ABSENT,
  TOKEN_TOO_NARROW,
  type TriedAgain,
} from './findings.ts';
import type { HookKeeper } from './keepHook.ts';
import { mayPass } from '../bitbucket/mayPass.ts';
import { goOn, isLeft } from '../tries.ts';

/** Where a round stands; carried by the workflow as text. */
export const placeSchema = z.object({
  step: z.enum(['rights', 'workspaces', 'repositories', 'hooks', 'removals']),
  /** Postgres' clock when the round began: what was looked at since is done */
  since: z.string(),
  /** the workspace in hand */
  workspace: z.object({ id: z.string(), slug: z.string() }).nullable(),
  /** of the list of workspaces */
  next: z.string().nullable(),
  /** what hooks subscribe to; null: not asked yet */
  events: z.object({ workspace: z.array(z.string()), repository: z.array(z.string()) }).nullable(),
  /** Bitbucket did not list what the account administers in the workspace in hand: each repository is asked */
  asksEach: z.boolean().default(true),
  /** how often the round has waited with this in hand because Bitbucket did not answer */
  tries: z.number().int().default(0),
});
export type Place = z.infer<typeof placeSchema>;

export const startOf = (since: string): Place => ({
  step: 'rights',
  since,
  workspace: null,
  next: null,
  events: null,
  asksEach: true,
  tries: 0,
});

export interface UpkeepWalkOptions {
  database: Database;
  organizationId: string;
  integrationId: string;
  client: BitbucketClient;
  credential: CredentialRef;
  asker: Asker;
  signal: AbortSignal;
  /** where an access token begins: it cannot list workspaces, nor ask what it administers */
  target: TokenTarget | undefined;
  hooks: Hooks;
  keeper: HookKeeper;
  remove: (row: HookRow) => Promise<boolean>;
  upkeep: Upkeep;
  /** trouble that may pass was met often enough: note it and go on with the next hook */
  impatient: boolean;
}

const MAX_WAIT_MS = 20_000;
/** Rows made in one transaction. */
const ROWS_AT_ONCE = 1_000;

const administeredSchema = z.object({ uuid: z.string() });

/**
 * One step of a round over an integration's hooks, about one request each. Workspace by workspace:
 *
 *  1. `rights`: which workspaces the account administers now, and what hooks may subscribe to.
 *  2. `workspaces`: the workspace's own hook where the account may; it covers the repositories.
 *  3. `repositories`: else, which repositories it administers: one request where they are few.
 *  4. `hooks`: the hook of each imported repository that it administers, or may.
 *  5. `removals`: hooks that are no longer wanted.
 */
export function createUpkeepWalk(options: UpkeepWalkOptions) {
  const { database, organizationId, integrationId, client, target, hooks, keeper, upkeep } = options;
  const scope = { organizationId, integrationId };
  const needed = neededEvents(upkeep.services);
  const transaction = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
    database.transaction(organizationId, work);
  const ask = (place: { path: string } | { next: string }) => {
    const { credential, asker, signal } = options;
    return client.get({ credential, asker, signal, maxWaitMs: MAX_WAIT_MS, ...place });
  };

  const newHook = (workspaceId: string): NewHook => ({
    id: uuid(),
    ...scope,
    workspaceId,
    token: randomBytes(32).toString('base64url'),
    generation: upkeep.generation,
  });

  async function rights(place: Place): Promise<Place> {
    if (place.events === null) return { ...place, events: await events() };
    const next = target === undefined ? await readRights(place) : null;
    if (next !== null) return { ...place, next };
    await transaction((tx) => retireHooks(tx, integrationId));
    return afterWorkspace(place);
  }

  async function events(): Promise<NonNullable<Place['events']>> {
    return {
      workspace: wantedEvents(upkeep.services, await hooks.eventsFor('workspace')),
      repository: wantedEvents(upkeep.services, await hooks.eventsFor('repository')),
    };
  }

  /**
   * The flags and slugs that discovery stored, anew: hooks of a workspace are asked for by its slug. Without the scope to list
   * workspaces, each is asked. Gives the next page.
   */
  async function readRights({ next }: Place): Promise<string | null> {
    const path = '/user/workspaces';
    try {
      const answer = await ask(next === null ? { path: `${path}?pagelen=100` } : { next });
      const page = readPage(answer, path);
      const { records, rejected } = parseRecords(workspaceAccessSchema, page.values);
      if (rejected.length > 0 && records.length === 0) throw unreadable(path, 'lists no readable workspace');
      const seen = records.map(({ value: { workspace, administrator } }) => ({
        provider_uuid: workspace.uuid,
        slug: escapeText(workspace.slug),
        administrator,
        observed_at: answer.observedAt,
      }));
      await transaction(async (tx) => {
        await renameWorkspaces(tx, scope, seen);
        await linkWorkspaces(tx, scope, seen);
      });
      return page.next;
    } catch (error) {
      if (error instanceof ScopeMissing || error instanceof Forbidden) return null;
      throw error;
    }
  }

  /** `events` belong to the round, the rest of a place to its step. */
  const at = (step: Place['step'], place: Place, workspace = place.workspace): Place => ({
    ...place,
    step,
    workspace,
    next: null,
  });

  async function afterWorkspace(place: Place): Promise<Place> {
    const found = await transaction((tx) =>
      queries.nextTargetWorkspace(tx, { integrationId, after: place.workspace?.id ?? null }),
    );
    return found === undefined
      ? at('removals', place, null)
      : at('workspaces', place, { id: found.id, slug: found.slug });
  }

  async function workspaces(place: Place): Promise<Place> {
    const workspace = inHand(place);
    const row = await transaction((tx) => queries.holdWorkspaceHook(tx, newHook(workspace.id)));
    if (row === undefined) return afterWorkspace(place);
    const forbidden = await forbiddenByRole(workspace.id);
    if (forbidden !== null) {
      await keeper.forbid(row, forbidden);
      return at('repositories', place);
    }
    const kept = await keep(row, place, { notAllowed: NOT_WORKSPACE_ADMIN, tried: 'next_round' });
    if (kept.state === 'not_allowed') return at('repositories', place);
    if (kept.state === 'missing_scopes') await judge(workspace.id, [], kept.finding, kept.finding);
    if (kept.state === 'active') {
      await transaction((tx) => retireRepositoryHooks(tx, { integrationId, workspaceId: workspace.id }));
    }
    return afterWorkspace(place);
  }

  async function forbiddenByRole(workspaceId: string): Promise<Finding | null> {
    if (target?.project !== undefined || target?.repository !== undefined) return TOKEN_TOO_NARROW;
    const administrator = await transaction((tx) =>
      queries.readAdministrator(tx, { integrationId, workspaceId }),
    );
    return administrator === false ? NOT_WORKSPACE_ADMIN : null;
  }

  /** Which repositories the account administers: where it fits on a page, known by one request; else each is asked. */
  async function repositories(place: Place): Promise<Place> {
    const workspace = inHand(place);
    const administered = target === undefined ? await readAdministered(workspace.slug) : null;
    await judge(workspace.id, administered, notRepositoryAdmin('next_round'));
    return { ...at('hooks', place), asksEach: administered === null };
  }

  async function readAdministered(slug: string): Promise<string[] | null> {
    const path = `/repositories/${segment(slug)}`;
    try {
      const answer = await ask({ path: `${path}?role=admin&pagelen=100&fields=next,values.uuid` });
      const page = readPage(answer, path);
      if (page.next !== null) return null;
      const { records, rejected } = parseRecords(administeredSchema, page.values);
      return rejected.length > 0 ? null : records.map(({ value }) => value.uuid);
    } catch (error) {
      if (error instanceof ScopeMissing || error instanceof Forbidden || error instanceof NotFound)
        return null;
      throw error;
    }
  }

  /** `never` and `lost`: why those that it does not administer have no hook, or no longer one that it can see to. */
  async function judge(
    workspaceId: string,
    administered: string[] | null,
    never: Finding,
    lost: Finding = adminLost('next_round'),
  ): Promise<void> {
    for (;;) {
      const made = await transaction(async (tx) => {
        const among = { integrationId, workspaceId, limit: ROWS_AT_ONCE };
        const found = await queries.repositoriesWithoutHook(tx, among);
        const rows = found.map((repositoryId) => ({ ...newHook(workspaceId), repositoryId }));
        await queries.insertRepositoryHooks(tx, rows);
        return rows.length;
      });
      if (made < ROWS_AT_ONCE) break;
    }
    await transaction(async (tx) => {
      await queries.keepRepositoryHooks(tx, { integrationId, workspaceId });
      const verdict = { integrationId, workspaceId, administered, never, lost, absent: REPOSITORY_ABSENT };
      for (const hook of await queries.judgeRepositoryHooks(tx, verdict)) {
        const details = { scope: 'repository', ...hook };
        await insertAuditEvent(tx, { ...scope, action: 'webhook_lost', actor: null, details });
      }
    });
  }

  async function oneHook(place: Place): Promise<Place> {
    const workspace = inHand(place);
    const row = await transaction((tx) =>
      queries.nextRepositoryHook(tx, { integrationId, workspaceId: workspace.id, since: place.since }),
    );
    if (row === undefined) return afterWorkspace(place);
    const tried = place.asksEach ? 'after_rest' : 'next_round';
    const kept = await keep(row, place, { notAllowed: notRepositoryAdmin(tried), tried });
    if (kept.state !== 'missing_scopes') return place;
    // The same is true of all the others.
    await judge(workspace.id, [], kept.finding, kept.finding);
    return afterWorkspace(place);
  }

  /** Attempts begin anew behind each wait for Bitbucket: two hooks in a row that fail would be waited for without an end. */
  const isPassedBy = (place: Place, error: BitbucketError): boolean =>
    options.impatient || isLeft(place, error);

  async function keep(row: HookRow, place: Place, refused: { notAllowed: Finding; tried: TriedAgain }) {
    const offered = place.events?.[row.scope] ?? [];
    if (offered.length === 0) {
      await keeper.fail(row, NO_EVENTS);
      return { state: 'failed' } as const;
    }
    try {
      const wanted = { events: offered, needed, generation: upkeep.generation, ...refused };
      return await keeper.keep(row, wanted);
    } catch (error) {
      if (!mayPass(error) || !isPassedBy(place, error)) throw error;
      await keeper.fail(row, error.finding);
      return { state: 'failed' } as const;
    }
  }

  async function removals(place: Place): Promise<Place | null> {
    const removing = { integrationId, repositoryId: null };
    const row = await transaction((tx) => nextRemoval(tx, { ...removing, since: place.since }));
    if (row === undefined) return null;
    try {
      await options.remove(row);
    } catch (error) {
      if (!mayPass(error) || !isPassedBy(place, error)) throw error;
      await keeper.fail(row, error.finding);
    }
    return place;
  }

  const STEPS: Record<Place['step'], (place: Place) => Promise<Place | null>> = {
    rights,
    workspaces,
    repositories,
    hooks: oneHook,
    removals,
  };

  /** Does what comes next, and gives the place behind it; null: the round is over. Throws the client's errors. */
  return async (place: Place): Promise<Place | null> => {
    const next = await STEPS[place.step](place);
    return next === null ? null : goOn(next);
  };
}

function inHand({ step, workspace }: Place): NonNullable<Place['workspace']> {
  if (workspace === null) throw new Error(`The step ${step} has no workspace in hand.`);
  return workspace;
}
