import { z } from 'zod';
import type { Database } from '../db/client.ts';
import * as queries from '../db/queries/discovery.ts';
import type { Asker } from './bitbucket/asker.ts';
import type { BitbucketAnswer, BitbucketClient, CredentialRef } from './bitbucket/client.ts';
import { repositoriesPath, segment, type TokenTarget } from './bitbucket/connectionCheck/target.ts';
import {
  BadRequest,
  type BitbucketError,
  Forbidden,
  NotFound,
  RepositoryGone,
  ScopeMissing,
} from './bitbucket/errors.ts';
import { asList, readPage, readRecords, type Page } from './bitbucket/paging.ts';
import { unreadable } from './bitbucket/readJson.ts';
import type { ParsedRecords } from './bitbucket/records.ts';
import {
  projectSchema,
  repositorySchema,
  workspaceAccessSchema,
  workspaceSchema,
} from './bitbucket/schemas.ts';
import { projectRow, uniqueByUuid, workspaceRow } from './discoveryRows.ts';
import { storeFound, storeRepositories } from './storeRepositories.ts';

/** Where a discovery stands; carried by the workflow as text. */
export const placeSchema = z.object({
  step: z.enum(['workspaces', 'workspace', 'projects', 'repositories']),
  /** Postgres' clock when the discovery began */
  since: z.string(),
  /** the workspace in hand; `id` null: an access token's, not stored yet */
  workspace: z
    .object({ id: z.string().nullable(), uuid: z.string().nullable(), slug: z.string() })
    .nullable(),
  /** of the list in hand */
  next: z.string().nullable(),
  /** of the list in hand, read so far: no list is endless */
  pages: z.int(),
});
export type Place = z.infer<typeof placeSchema>;

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
  signal: AbortSignal;
}

const MAX_PAGES = 10_000;
/** A short limit is waited for here; a longer one on the workflow's timer. */
const MAX_WAIT_MS = 20_000;

/** Does one request of a discovery and stores what it found, in one transaction. */
export function createDiscoveryWalk(options: DiscoveryWalkOptions) {
  const { database, client, integration, credential, asker, target, signal } = options;
  const { organizationId } = integration;
  const nothing = { workspaces: 0, projects: 0, repositories: 0, rejected: [] };

  async function get(place: Place, path: string): Promise<BitbucketAnswer> {
    const request = { credential, signal, asker, maxWaitMs: MAX_WAIT_MS };
    if (place.next === null) return client.get({ ...request, path });
    try {
      return await client.get({ ...request, next: place.next });
    } catch (error) {
      // A stored `next` may have lost its meaning; the list starts again, and what is stored stays.
      if (error instanceof BadRequest) return client.get({ ...request, path });
      throw error;
    }
  }

  /** The answer, or undefined where this credential may not look or there is nothing. */
  async function getOrSkip(place: Place, path: string): Promise<BitbucketAnswer | undefined> {
    try {
      return await get(place, path);
    } catch (error) {
      const skipped: (abstract new (...parameters: never) => BitbucketError)[] = [
        Forbidden,
        NotFound,
        RepositoryGone,
        ScopeMissing,
      ];
      if (skipped.some((type) => error instanceof type)) return undefined;
      throw error;
    }
  }

  function following(place: Place, page: Page, path: string): Place | undefined {
    if (page.next === null) return undefined;
    if (page.next === place.next || place.pages >= MAX_PAGES) throw unreadable(path, 'does not end');
    return { ...place, next: page.next, pages: place.pages + 1 };
  }

  const begin = (step: Place['step'], place: Place, inHand = place.workspace): Place => ({
    step,
    since: place.since,
    workspace: inHand,
    next: null,
    pages: 0,
  });

  async function afterWorkspace(place: Place): Promise<Place | null> {
    if (target !== undefined) return null;
    const found = await database.transaction(organizationId, (tx) =>
      queries.nextWorkspace(tx, integration, { since: place.since, after: place.workspace?.id ?? null }),
    );
    if (found === undefined) return null;
    return begin('workspace', place, { id: found.id, uuid: found.provider_uuid, slug: found.slug });
  }

  async function workspaces(place: Place): Promise<Step> {
    const path = '/user/workspaces';
    const answer = await get(place, `${path}?pagelen=100`);
    const page = readPage(answer, path);
    const parsed = readRecords(workspaceAccessSchema, answer, page);
    refuseUnreadable(parsed, path);
    const rows = parsed.records.map(({ value }) => workspaceRow(value.workspace, answer.observedAt));
    const links = parsed.records.map(({ value }) => ({
      provider_uuid: value.workspace.uuid,
      administrator: value.administrator,
    }));
    const since = place.since === '' ? answer.observedAt : place.since;
    await storeFound(database, integration, async (tx) => {
      await queries.upsertWorkspaces(tx, integration, uniqueByUuid(rows));
      await queries.linkWorkspaces(tx, integration, uniqueByUuid(links));
    });
    const here = { ...place, since };
    return {
      ...nothing,
      place: following(here, page, path) ?? (await afterWorkspace(here)),
      workspaces: rows.length,
      rejected: rejectedOf('workspace', parsed),
    };
  }

  /** The list of workspaces gives no names (facts 3.4). */
  async function workspace(place: Place, slug: string): Promise<Step> {
    const path = `/workspaces/${segment(slug)}`;
    const answer = await getOrSkip(place, path);
    const narrow = target?.project !== undefined || target?.repository !== undefined;
    const next = narrow ? 'repositories' : 'projects';
    if (answer === undefined) return { ...nothing, place: begin(next, place) };
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
    return { ...nothing, place: begin(next, place, known), workspaces: target === undefined ? 0 : 1 };
  }

  /** Without its scope, projects are known from their repositories. */
  async function projects(place: Place, slug: string, uuid: string | null): Promise<Step> {
    const path = `/workspaces/${segment(slug)}/projects`;
    const answer = uuid === null ? undefined : await getOrSkip(place, `${path}?pagelen=100`);
    if (answer === undefined || uuid === null) return { ...nothing, place: begin('repositories', place) };
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
    const answer = target === undefined ? await getOrSkip(place, path) : await get(place, path);
    if (answer === undefined) return { ...nothing, place: await afterWorkspace(place) };
    const single = target?.repository !== undefined;
    const page = single ? { values: [answer.json], next: null, size: 1 } : readPage(answer, path);
    const parsed = single
      ? readRecords(repositorySchema, asList(answer), page)
      : readRecords(repositorySchema, answer, page);
    refuseUnreadable(parsed, path);
    const { observedAt } = answer;
    const stored = { parsed, observedAt, workspaceUuid: uuid };
    const found = await storeRepositories(database, integration, stored);
    return {
      ...nothing,
      place: following(place, page, path) ?? (await afterWorkspace(place)),
      repositories: found,
      rejected: rejectedOf('repository', parsed),
    };
  }

  return {
    /** `since` empty: the first answer's time becomes it. */
    start(now: string): Place {
      const slug = target?.workspace;
      return {
        step: slug === undefined ? 'workspaces' : 'workspace',
        since: now,
        workspace: slug === undefined ? null : { id: null, uuid: null, slug },
        next: null,
        pages: 0,
      };
    },

    /** One request, and what it found stored. Throws the client's errors. */
    step(place: Place): Promise<Step> {
      if (place.step === 'workspaces' || place.workspace === null) return workspaces(place);
      const { slug, uuid } = place.workspace;
      if (place.step === 'workspace') return workspace(place, slug);
      if (place.step === 'projects') return projects(place, slug, uuid);
      return repositories(place, slug, uuid);
    },
  };
}

const rejectedOf = (what: string, { rejected }: ParsedRecords<unknown>) =>
  rejected.map(({ key, reason }) => ({ what, key, reason }));

/** A page on which nothing can be read is a changed shape, not a page of bad records. */
function refuseUnreadable({ records, rejected }: ParsedRecords<unknown>, path: string): void {
  if (records.length === 0 && rejected.length > 0) throw unreadable(path, 'lists nothing that can be read');
}
