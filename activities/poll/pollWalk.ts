import { pullRequestsBy } from '../../forecast/polling.ts';
import type { Database } from '../../db/client.ts';
import {
  endMembers,
  nextAuthor,
  noteRefused,
  rememberAuthors,
  rememberMembers,
} from '../../db/queries/poll/authors.ts';
import {
  hasUnknownEntry,
  notePushed,
  selectPushed,
  selectWithNewerPullRequests,
} from '../../db/queries/poll/changes.ts';
import { listKeptOf, listMissed, type PolledRepository } from '../../db/queries/poll/keptRepositories.ts';
import {
  nextDueRepository,
  nextInRotation,
  notePolled,
  type RotatedRepository,
} from '../../db/queries/poll/turns.ts';
import {
  countAskable,
  endWorkspacePoll,
  type PolledWorkspace,
  readPolledWorkspace,
} from '../../db/queries/poll/workspaces.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import type { Service } from '../../workflows/words.ts';
import { activityItem } from '../activityRows.ts';
import type { Asker } from '../bitbucket/asker.ts';
import type { BitbucketAnswer, BitbucketClient, CredentialRef } from '../bitbucket/client.ts';
import { repositoriesPath, segment, type TokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { BitbucketError } from '../bitbucket/errors.ts';
import { asList, readPage, readRecords, type Page } from '../bitbucket/paging.ts';
import { unreadable } from '../bitbucket/readJson.ts';
import {
  activitySchema,
  memberSchema,
  polledPullRequestSchema,
  repositorySchema,
} from '../bitbucket/schemas.ts';
import { before, canonicalInstant, OVERLAP_MS } from '../instants.ts';
import { storeRepositories } from '../storeRepositories.ts';
import type { TellSyncs } from './hints.ts';
import { begin, type Place } from './place.ts';

export interface PollWalkOptions {
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
const REFUSALS: ReadonlySet<string> = new Set([
  'BadRequest',
  'FeatureGone',
  'Forbidden',
  'NotFound',
  'RepositoryGone',
  'ScopeMissing',
]);

const ALL_STATES = '(state="OPEN" OR state="MERGED" OR state="DECLINED" OR state="SUPERSEDED")';

/**
 * One round over all that an integration keeps current: a step is at most one request, and what it found is told to the
 * repositories' syncs before the round moves on. A hint too many costs a look, so a step may be done twice.
 *
 *  - `missed`: what was missed while nothing was fetched.
 *  - Of each workspace `pushes`: its list of repositories by `updated_on`, down to where the last round began; then its
 *    changed pull requests (they do not move a repository's `updated_on`, facts 3.5) by `authors` or by `repositories`,
 *    whichever is cheaper. `members` are listed once a day, as authors.
 *  - `rotation`: a few repositories, those that were not looked at for longest: the newest entries of the activity feed
 *    (votes and pull requests of strangers), and git.
 */
export function createPollWalk(options: PollWalkOptions) {
  const { database, client, integration, services, credential, asker, target, tell, signal } = options;
  const { organizationId } = integration;
  const hasPullRequests = services.includes('pull_requests');
  const hasRepositories = services.includes('repositories');
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(organizationId, work);

  /** The answer; undefined where Bitbucket says that there is nothing for this account. */
  async function ask(at: { path: string } | { next: string }): Promise<BitbucketAnswer | undefined> {
    try {
      return await client.get({ credential, signal, asker, maxWaitMs: MAX_WAIT_MS, ...at });
    } catch (error) {
      if (error instanceof BitbucketError && REFUSALS.has(error.type)) return undefined;
      throw error;
    }
  }

  const placeOf = (place: Place, path: string) => (place.next === null ? { path } : { next: place.next });

  function following(place: Place, page: Page, path: string): Place | undefined {
    if (page.next === null) return undefined;
    if (page.next === place.next || place.pages >= MAX_PAGES) throw unreadable(path, 'does not end');
    return { ...place, next: page.next, pages: place.pages + 1 };
  }

  const move = (place: Place | null): PollStep => ({ place, requests: 0, found: 0 });

  async function hint(
    repositories: PolledRepository[],
    changed: Service[],
    by: 'poll' | 'rotation' = 'poll',
  ): Promise<number> {
    await tell(integration, { repositories, services: changed, by });
    return repositories.length;
  }

  const workspaceOf = (workspaceId: string) =>
    inTransaction((tx) => readPolledWorkspace(tx, { ...integration, workspaceId }));

  async function tellMissed(place: Place): Promise<PollStep> {
    const all = await inTransaction((tx) => listMissed(tx, integration));
    for (const one of all) await hint([one], one.services);
    return { place: await nextWorkspace(place), requests: 0, found: all.length };
  }

  /** Begins with the workspace behind the one in hand; behind the last comes the rotation. */
  async function nextWorkspace(place: Place): Promise<Place> {
    const found = await inTransaction((tx) =>
      readPolledWorkspace(tx, { ...integration, after: place.workspaceId }),
    );
    if (found === undefined) return begin(place, 'rotation');
    return begin(place, 'pushes', { workspaceId: found.workspaceId, began: null, incomplete: false });
  }

  async function readPushes(place: Place, workspace: PolledWorkspace): Promise<PollStep> {
    const filters = [
      ...(target?.project === undefined ? [] : [`project.key=${JSON.stringify(target.project)}`]),
      ...(workspace.since === null ? [] : [`updated_on>=${before(workspace.since, OVERLAP_MS)}`]),
    ];
    const query = `sort=-updated_on&pagelen=100${filters.length === 0 ? '' : `&q=${segment(filters.join(' AND '))}`}`;
    const path =
      target?.repository === undefined
        ? `/repositories/${segment(workspace.slug)}?${query}`
        : repositoriesPath(target, '');
    const answer = await ask(placeOf(place, path));
    if (answer === undefined) {
      // The list is refused: git is asked of each, which costs none of the allowance of the API.
      const kept = await inTransaction((tx) => listKeptOf(tx, workspaceOfPlace(workspace)));
      const found = hasRepositories ? await hint(kept, ['repositories']) : 0;
      return { place: await pullRequests({ ...place, incomplete: true }, workspace), requests: 1, found };
    }
    const single = target?.repository !== undefined;
    const page = single ? { values: [answer.json], next: null, size: 1 } : readPage(answer, path);
    const parsed = readRecords(repositorySchema, single ? asList(answer) : answer, page);
    const { observedAt } = answer;
    await storeRepositories(database, integration, {
      parsed,
      observedAt,
      workspaceUuid: workspace.providerUuid,
    });
    const updated = parsed.records.map(({ value }) => ({ uuid: value.uuid, at: value.updated_on }));
    const changed = await inTransaction((tx) =>
      selectPushed(tx, { ...integration, updated, overlapMs: OVERLAP_MS }),
    );
    const found = hasRepositories ? await hint(changed, ['repositories']) : 0;
    if (hasRepositories) await inTransaction((tx) => notePushed(tx, { ...integration, updated }));
    const here = { ...place, began: place.began ?? canonicalInstant(answer.date ?? answer.observedAt) };
    return {
      place: following(here, page, path) ?? (await pullRequests(here, workspace)),
      requests: 1,
      found,
    };
  }

  const workspaceOfPlace = ({ workspaceId }: { workspaceId: string }) => ({ ...integration, workspaceId });

  /** How changed pull requests of the workspace are found in this round. */
  async function pullRequests(place: Place, workspace: PolledWorkspace): Promise<Place> {
    if (!hasPullRequests) return endWorkspace(place, null);
    if (workspace.membersDue && target === undefined) return begin(place, 'members');
    return chooseMethod(place);
  }

  async function chooseMethod(place: Place): Promise<Place> {
    const { workspaceId } = place;
    if (workspaceId === null) return nextWorkspace(place);
    const counts = await inTransaction((tx) => countAskable(tx, workspaceOfPlace({ workspaceId })));
    // An access token may see a part of the workspace only: its repositories are asked by themselves.
    return begin(place, target === undefined ? pullRequestsBy(counts) : 'repositories');
  }

  async function readMembers(place: Place, workspace: PolledWorkspace): Promise<PollStep> {
    const of = workspaceOfPlace(workspace);
    const path = `/workspaces/${segment(workspace.slug)}/members?pagelen=100`;
    const answer = await ask(placeOf(place, path));
    const page = answer === undefined ? undefined : readPage(answer, path);
    if (answer !== undefined && page !== undefined) {
      const uuids = readRecords(memberSchema, answer, page).records.flatMap(
        ({ value }) => value.user?.uuid ?? [],
      );
      await inTransaction((tx) => rememberMembers(tx, { ...of, uuids }));
      const next = following(place, page, path);
      if (next !== undefined) return { place: next, requests: 1, found: 0 };
    }
    await inTransaction(async (tx) => {
      await rememberAuthors(tx, of);
      await endMembers(tx, of);
    });
    return { place: await chooseMethod(place), requests: 1, found: 0 };
  }

  /** The pull requests of one author in the whole workspace (facts 3.7). */
  async function askAuthor(place: Place, workspace: PolledWorkspace): Promise<PollStep> {
    const { workspaceId } = workspace;
    const author = await inTransaction((tx) => nextAuthor(tx, { workspaceId, after: place.after }));
    if (author === undefined) return move(await endWorkspace(place, 'authors'));
    const since = workspace.since === null ? [] : [`updated_on>=${before(workspace.since, OVERLAP_MS)}`];
    const states = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'].map((state) => `state=${state}`).join('&');
    const q = segment([...since, ALL_STATES].join(' AND '));
    const fields = 'next,values.id,values.updated_on,values.destination.repository.uuid';
    const path =
      `/workspaces/${segment(workspace.slug)}/pullrequests/${segment(author)}` +
      `?pagelen=50&${states}&q=${q}&fields=${fields}`;
    const answer = await ask(placeOf(place, path));
    const behind = { ...place, after: author, next: null, pages: 0 };
    if (answer === undefined) {
      const isGone = await inTransaction((tx) => noteRefused(tx, { workspaceId, uuid: author }));
      // Somebody who left, or a workspace that cannot be seen for a while: the latter must not move the watermark.
      return { place: { ...behind, incomplete: place.incomplete || !isGone }, requests: 1, found: 0 };
    }
    const page = readPage(answer, path);
    const seen = readRecords(polledPullRequestSchema, answer, page).records.flatMap(({ value }) =>
      value.destination?.repository == null
        ? []
        : [{ repository: value.destination.repository.uuid, number: value.id, updated: value.updated_on }],
    );
    const changed = await inTransaction((tx) => selectWithNewerPullRequests(tx, { ...integration, seen }));
    const here = { ...place, began: place.began ?? canonicalInstant(answer.date ?? answer.observedAt) };
    return {
      place: following(here, page, path) ?? { ...behind, began: here.began },
      requests: 1,
      found: await hint(changed, ['pull_requests']),
    };
  }

  /** Whether one repository has pull requests that changed since the newest that is stored. */
  async function askRepository(place: Place, workspace: PolledWorkspace): Promise<PollStep> {
    const due = await inTransaction((tx) =>
      nextDueRepository(tx, { ...workspaceOfPlace(workspace), after: place.after }),
    );
    if (due === undefined) return move(await endWorkspace(place, 'repositories'));
    const q = segment(due.newest === null ? 'id>0' : `updated_on>${due.newest}`);
    const fields = 'next,values.id,values.updated_on,values.destination.repository.uuid';
    const path = `/repositories/${due.fullName}/pullrequests?pagelen=10&q=${q}&fields=${fields}`;
    const answer = await ask({ path });
    const isNews = answer !== undefined && readPage(answer, path).values.length > 0;
    const found = isNews ? await hint([due], ['pull_requests']) : 0;
    const { repositoryId } = due;
    await inTransaction((tx) => notePolled(tx, { organizationId, repositoryId, rotated: false }));
    return { place: { ...place, after: due.repositoryId }, requests: 1, found };
  }

  /** All that changed before the round's first answer is told: the next one asks from there. */
  async function endWorkspace(place: Place, method: 'authors' | 'repositories' | null): Promise<Place> {
    const { workspaceId, began, incomplete } = place;
    if (workspaceId !== null && began !== null && !incomplete) {
      await inTransaction((tx) =>
        endWorkspacePoll(tx, { ...integration, workspaceId, since: began, method }),
      );
    }
    return nextWorkspace(place);
  }

  async function rotate(place: Place): Promise<PollStep> {
    if (place.rotationLeft <= 0) return move(null);
    const next = await inTransaction((tx) => nextInRotation(tx, { ...integration, before: place.startedAt }));
    if (next === undefined) return move(null);
    const { repositoryId } = next;
    const changed: Service[] = [];
    // Git tells by itself, without a request, whether there is something new.
    if (hasRepositories) changed.push('repositories');
    if (services.includes('tickets') && next.hasIssues !== false) changed.push('tickets');
    const isNews = hasPullRequests && (await hasNews(next));
    if (isNews) changed.push('pull_requests');
    if (changed.length > 0) await hint([next], changed, 'rotation');
    await inTransaction((tx) => notePolled(tx, { organizationId, repositoryId, rotated: true }));
    const requests = hasPullRequests ? 1 : 0;
    return { place: { ...place, rotationLeft: place.rotationLeft - 1 }, requests, found: isNews ? 1 : 0 };
  }

  /** Whether one of the newest entries of the repository's activity is not stored. */
  async function hasNews({ repositoryId, fullName }: RotatedRepository): Promise<boolean> {
    const path = `/repositories/${fullName}/pullrequests/activity?pagelen=10`;
    const answer = await ask({ path });
    if (answer === undefined) return false;
    const { records, rejected } = readRecords(activitySchema, answer, readPage(answer, path));
    const entries = records.flatMap((record) => {
      const item = activityItem(record, answer.observedAt);
      return item === undefined ? [] : [{ number: item.row.pull_request_number, key: item.row.entry_key }];
    });
    if (rejected.length > 0) return true;
    return inTransaction((tx) => hasUnknownEntry(tx, { repositoryId, entries }));
  }

  return {
    /** At most one request, and what it found told. Throws the client's errors. */
    async step(place: Place): Promise<PollStep> {
      if (place.step === 'missed') return tellMissed(place);
      if (place.step === 'rotation') return rotate(place);
      const workspace = place.workspaceId === null ? undefined : await workspaceOf(place.workspaceId);
      // Its last repository was removed meanwhile.
      if (workspace === undefined) return move(await nextWorkspace(place));
      switch (place.step) {
        case 'pushes':
          return readPushes(place, workspace);
        case 'members':
          return readMembers(place, workspace);
        case 'authors':
          return askAuthor(place, workspace);
        case 'repositories':
          return askRepository(place, workspace);
      }
    },
  };
}
