import type { Database } from '../../db/client.ts';
import * as queries from '../../db/queries/discovery.ts';
import * as presence from '../../db/queries/presence.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketAnswer, BitbucketClient, CredentialRef } from '../bitbucket/client.ts';
import { repositoriesPath, segment, type TokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { BadRequest } from '../bitbucket/errors.ts';
import { asList, readPage, readRecords, type Page } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import type { ParsedRecords } from '../bitbucket/records.ts';
import {
  projectSchema,
  repositorySchema,
  workspaceAccessSchema,
  workspaceSchema,
} from '../bitbucket/schemas.ts';
import type { Place } from './discoveryPlace.ts';
import { projectRow, uniqueByUuid, workspaceRow } from './discoveryRows.ts';
import { compareLists } from '../presence/compareLists.ts';
import type { VanishingRules } from '../presence/decideList.ts';
import { lookUp } from '../presence/lookUp.ts';
import { isRefusal } from './storeByUuid.ts';
import { storeFound, storeRepositories } from './storeRepositories.ts';

export interface Step {
  /** null: everything is found */
  place: Place | null;
  workspaces: number;
  projects: number;
  repositories: number;
  /** records that could not be read */
  rejected: { what: string; key: string; reason: string }[];
}

export interface DiscoveryWalkOptions {
  database: Database;
  client: BitbucketClient;
  integration: queries.Scope;
  credential: CredentialRef;
  asker: Asker;
  /** an access token starts here instead of at the list of workspaces */
  target: TokenTarget | undefined;
  /** when what is missing is believed to be gone */
  rules: VanishingRules;
  signal: AbortSignal;
}

const MAX_PAGES = 10_000;
/** A short limit is waited for here; a longer one on the workflow's timer. */
const MAX_WAIT_MS = 20_000;

/**
 * Does one request of a discovery and stores what it found, in one transaction. Behind the last list it compares them with
 * what was there before, and looks up one by one what two discoveries missed.
 */
export function createDiscoveryWalk(options: DiscoveryWalkOptions) {
  const { database, client, integration, credential, asker, target, rules, signal } = options;
  const { organizationId } = integration;
  const nothing = { workspaces: 0, projects: 0, repositories: 0, rejected: [] };

  /** `again`: a stored `next` has lost its meaning; the list starts again, and what is stored stays. */
  async function get(place: Place, path: string): Promise<{ answer: BitbucketAnswer; again: boolean }> {
    const request = { credential, signal, asker, maxWaitMs: MAX_WAIT_MS };
    if (place.next === null) return { answer: await client.get({ ...request, path }), again: false };
    try {
      return { answer: await client.get({ ...request, next: place.next }), again: false };
    } catch (error) {
      if (error instanceof BadRequest) return { answer: await client.get({ ...request, path }), again: true };
      throw error;
    }
  }

  /** The answer, or undefined where this credential may not look or there is nothing. `spared`: it is not needed. */
  async function getOrSkip(
    place: Place,
    path: string,
    { spared = false } = {},
  ): Promise<Awaited<ReturnType<typeof get>> | undefined> {
    try {
      return await get(place, path);
    } catch (error) {
      if (isRefusal(error) || (spared && error instanceof BadRequest)) return undefined;
      throw error;
    }
  }

  function following(place: Place, page: Page, path: string): Place | undefined {
    if (page.next === null) return undefined;
    if (page.next === place.next || place.pages >= MAX_PAGES) throw unreadable(path, 'does not end');
    return { ...place, next: page.next, pages: place.pages + 1 };
  }

  /** The place with what a page adds to the list in hand. */
  const counted = (place: Place, page: Page, rejected: number, again: boolean): Place => ({
    ...place,
    listed: place.listed + page.values.length,
    whole: place.whole && rejected === 0 && !again,
  });

  /** At its last page: nothing of the list was lost on the way, as far as it says itself how long it is. */
  const isFull = ({ whole, listed }: Place, { next, size }: Page): boolean =>
    next === null && whole && (size === null || listed >= size);

  /** Postgres' clock at the first answer is when the discovery began. */
  const dated = (place: Place, { observedAt }: BitbucketAnswer): Place =>
    place.since === '' ? { ...place, since: observedAt } : place;

  const begin = (step: Place['step'], place: Place, inHand = place.workspace): Place => ({
    ...place,
    step,
    workspace: inHand,
    next: null,
    pages: 0,
    tries: 0,
    listed: 0,
    whole: true,
  });

  async function afterWorkspace(place: Place): Promise<Place | null> {
    // A repository's own token dies with it: there is no list that could lack it.
    if (target?.repository !== undefined) return null;
    if (target !== undefined) return begin('compare', place);
    const found = await database.transaction(organizationId, (tx) =>
      queries.nextWorkspace(tx, integration, { since: place.since, after: place.workspace?.id ?? null }),
    );
    if (found === undefined) return begin('compare', place);
    const { id, provider_uuid: uuid, slug, described } = found;
    return begin(described ? 'projects' : 'workspace', place, { id, uuid, slug });
  }

  async function workspaces(place: Place): Promise<Step> {
    const path = '/user/workspaces';
    const { answer, again } = await get(place, `${path}?pagelen=100`);
    const page = readPage(answer, path);
    const parsed = readRecords(workspaceAccessSchema, answer, page);
    refuseUnreadable(parsed, path);
    const rows = parsed.records.map(({ value }) => workspaceRow(value.workspace, answer.observedAt));
    const links = parsed.records.map(({ value }) => ({
      provider_uuid: value.workspace.uuid,
      administrator: value.administrator,
    }));
    await storeFound(database, integration, async (tx) => {
      await queries.upsertWorkspaces(tx, integration, uniqueByUuid(rows));
      await queries.linkWorkspaces(tx, integration, uniqueByUuid(links));
    });
    const here = counted(dated(place, answer), page, parsed.rejected.length, again);
    here.allWorkspaces = isFull(here, page) && here.listed > 0;
    return {
      ...nothing,
      place: following(here, page, path) ?? (await afterWorkspace(here)),
      workspaces: rows.length,
      rejected: rejectedOf('workspace', parsed),
    };
  }

  /** A narrow token sees no list of projects. */
  const behindWorkspace = (): Place['step'] =>
    target?.project !== undefined || target?.repository !== undefined ? 'repositories' : 'projects';

  /** The list of workspaces gives no names (facts 3.4). */
  async function workspace(place: Place, slug: string): Promise<Step> {
    const path = `/workspaces/${segment(slug)}`;
    const found = await getOrSkip(place, path);
    const next = behindWorkspace();
    if (found === undefined) return { ...nothing, place: begin(next, place) };
    const { answer } = found;
    const parsed = workspaceSchema.safeParse(answer.json);
    if (!parsed.success) throw unreadable(path, 'does not show a workspace');
    const row = workspaceRow(parsed.data, answer.observedAt);
    await storeFound(database, integration, async (tx) => {
      await queries.upsertWorkspaces(tx, integration, [row]);
      await queries.linkWorkspaces(tx, integration, [
        { provider_uuid: row.provider_uuid, administrator: null },
      ]);
    });
    const known = { id: place.workspace?.id ?? null, uuid: parsed.data.uuid, slug };
    return {
      ...nothing,
      place: begin(next, dated(place, answer), known),
      workspaces: target === undefined ? 0 : 1,
    };
  }

  /** Without its scope, projects are known from their repositories; how many a page may hold is not documented. */
  async function projects(place: Place, slug: string, uuid: string | null): Promise<Step> {
    const path = `/workspaces/${segment(slug)}/projects`;
    const found = uuid === null ? undefined : await getOrSkip(place, `${path}?pagelen=100`, { spared: true });
    if (found === undefined || uuid === null) return { ...nothing, place: begin('repositories', place) };
    const { answer } = found;
    const page = readPage(answer, path);
    const parsed = readRecords(projectSchema, answer, page);
    refuseUnreadable(parsed, path);
    const rows = parsed.records.map(({ value }) => projectRow(value, uuid, answer.observedAt));
    await storeFound(database, integration, (tx) =>
      queries.upsertProjects(tx, integration, uniqueByUuid(rows)),
    );
    return {
      ...nothing,
      place: following(place, page, path) ?? begin('repositories', place),
      projects: rows.length,
      rejected: rejectedOf('project', parsed),
    };
  }

  async function repositories(place: Place, slug: string, uuid: string | null): Promise<Step> {
    const path = repositoriesPath(target ?? { workspace: slug }, 'pagelen=100');
    const got = target === undefined ? await getOrSkip(place, path) : await get(place, path);
    if (got === undefined) return { ...nothing, place: await afterWorkspace(place) };
    const { answer, again } = got;
    const single = target?.repository !== undefined;
    const page = single ? { values: [answer.json], next: null, size: 1 } : readPage(answer, path);
    const parsed = single
      ? readRecords(repositorySchema, asList(answer), page)
      : readRecords(repositorySchema, answer, page);
    refuseUnreadable(parsed, path);
    const { observedAt } = answer;
    const stored = { parsed, observedAt, workspaceUuid: uuid };
    const found = await storeRepositories(database, integration, stored);
    const here = counted(dated(place, answer), page, parsed.rejected.length, again);
    if (uuid !== null && !single && isFull(here, page)) {
      const { since } = here;
      await storeFound(database, integration, (tx) =>
        presence.noteListed(tx, integration, { workspaceUuid: uuid, since }),
      );
    }
    return {
      ...nothing,
      place: following(here, page, path) ?? (await afterWorkspace(here)),
      repositories: found,
      rejected: rejectedOf('repository', parsed),
    };
  }

  /** Behind the last list: what is missing now, and what two discoveries missed. */
  async function compare(place: Place): Promise<Step> {
    const { since, allWorkspaces } = place;
    const lists = { since, allWorkspaces, projectKey: target?.project };
    await storeFound(database, integration, (tx) => compareLists(tx, integration, lists, rules));
    return { ...nothing, place: begin('missing', place) };
  }

  const nextSuspect = ({ since, after }: Place) =>
    database.transaction(organizationId, (tx) => presence.nextSuspect(tx, integration, { since, after }));

  async function missing(place: Place): Promise<Step> {
    const suspect = await nextSuspect(place);
    if (suspect === undefined) return { ...nothing, place: null };
    await lookUp({ database, client, integration, suspect, request: { credential, signal, asker } });
    return { ...nothing, place: { ...place, after: suspect.repositoryId } };
  }

  /** Goes on behind the list in hand. It does not count as read, so that nothing is missed by it. */
  async function leave(place: Place): Promise<Place | null> {
    switch (place.step) {
      case 'workspace':
        return begin(behindWorkspace(), place);
      case 'projects':
        return begin('repositories', place);
      case 'missing':
        return { ...place, after: (await nextSuspect(place))?.repositoryId ?? place.after };
      default:
        return afterWorkspace(place);
    }
  }

  return {
    leave,

    /** Whether there is something behind the list in hand: not without a single workspace, nor for a token with one list. */
    canLeave: ({ step, since }: Place): boolean =>
      since !== '' && (target === undefined || step !== 'repositories'),

    /** `since` empty: the first answer's time becomes it. */
    start(now: string): Place {
      const slug = target?.workspace;
      return {
        credentialId: credential.credentialId,
        step: slug === undefined ? 'workspaces' : 'workspace',
        since: now,
        workspace: slug === undefined ? null : { id: null, uuid: null, slug },
        next: null,
        pages: 0,
        tries: 0,
        listed: 0,
        whole: true,
        allWorkspaces: false,
        after: null,
      };
    },

    /** One request, and what it found stored. Throws the client's errors. */
    step(place: Place): Promise<Step> {
      if (place.step === 'compare') return compare(place);
      if (place.step === 'missing') return missing(place);
      if (place.step === 'workspaces' || place.workspace === null) return workspaces(place);
      const { slug, uuid } = place.workspace;
      if (place.step === 'workspace') return workspace(place, slug);
      if (place.step === 'projects') return projects(place, slug, uuid);
      return repositories(place, slug, uuid);
    },
  };
}

export type DiscoveryWalk = ReturnType<typeof createDiscoveryWalk>;

const rejectedOf = (what: string, { rejected }: ParsedRecords<unknown>) =>
  rejected.map(({ key, reason }) => ({ what, key, reason }));

/** A page on which nothing can be read is a changed shape, not a page of bad records. */
function refuseUnreadable({ records, rejected }: ParsedRecords<unknown>, path: string): void {
  if (records.length === 0 && rejected.length > 0) throw unreadable(path, 'lists nothing that can be read');
}
