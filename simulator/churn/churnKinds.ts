import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { Comment, PullRequest } from '../model/pullRequest.ts';
import type { Random } from '../model/random.ts';
import type { Host } from '../rest/host.ts';

/** One of the README's mutations. */
export type Change = { kind: string } & Record<string, unknown>;

/** What a change is made from. */
export interface ChurnPlace {
  host: Host;
  random: Random;
  repository: Repository;
  /** counts the changes, so that no two texts are equal */
  turn: number;
}

/** Makes up a change of its kind, or undefined when nothing there can be changed so. */
export type ChurnKind = (place: ChurnPlace) => Promise<Change | undefined> | Change | undefined;

/** Branches that churn makes, and so may move, merge and delete. */
const PREFIX = 'churn/';

function somebody({ host, random }: ChurnPlace): Person {
  const { admin, member } = host.world.cast;
  return random.pick([admin, member, ...host.world.contributors.filter(({ type }) => type === 'user')]);
}

const pickOne = <T>(random: Random, list: readonly T[]): T | undefined =>
  list.length === 0 ? undefined : random.pick(list);

async function branches({ host, repository }: ChurnPlace): Promise<string[]> {
  const refs = await host.git.refs(repository.gitKey);
  return refs
    .filter(({ kind, name }) => kind === 'branch' && name.startsWith(PREFIX))
    .map(({ name }) => name);
}

/** A few tries among all; half of them among the newest, where most happens. */
function pullRequest(place: ChurnPlace, fits: (one: PullRequest) => boolean): PullRequest | undefined {
  const { random, repository } = place;
  const { count } = repository.pullRequests;
  if (count === 0) return undefined;
  for (let attempt = 0; attempt < 12; attempt += 1) {
    const reach = attempt % 2 === 0 ? Math.min(20, count) : count;
    const found = repository.pullRequests.get(count - random.below(reach));
    if (found !== undefined && fits(found)) return found;
  }
  return undefined;
}

const isOpen = ({ state }: PullRequest): boolean => state === 'OPEN';

function git(place: ChurnPlace, change: object): Change {
  return { kind: 'git', repository: place.repository.uuid, user: somebody(place).uuid, change };
}

function commits(place: ChurnPlace, count: number): object[] {
  const { displayName: name, email } = somebody(place);
  return Array.from({ length: count }, (_, at) => ({
    message: `Churn ${place.turn}.${at}\n`,
    author: { name, email },
    files: { [`churn/${place.turn}-${at}.txt`]: `${place.turn}\n` },
  }));
}

const onPullRequest =
  (kind: string, fits: (one: PullRequest) => boolean, fields: (place: ChurnPlace) => object): ChurnKind =>
  (place) => {
    const found = pullRequest(place, fits);
    if (found === undefined) return undefined;
    const { uuid } = place.repository;
    return { kind, repository: uuid, number: found.number, user: somebody(place).uuid, ...fields(place) };
  };

const onComment =
  (kind: string, fits: (one: Comment) => boolean, fields: (place: ChurnPlace) => object): ChurnKind =>
  (place) => {
    const found = pullRequest(place, ({ comments }) => comments.some(fits));
    const comment = pickOne(place.random, found?.comments.filter(fits) ?? []);
    if (found === undefined || comment === undefined) return undefined;
    const { uuid } = place.repository;
    const target = { repository: uuid, number: found.number, comment: comment.id };
    return { kind, ...target, user: somebody(place).uuid, ...fields(place) };
  };

/** Takes back a verdict of whoever gave it. */
const takeBack =
  (kind: string, verdict: 'approval' | 'changes_requested'): ChurnKind =>
  (place) => {
    const found = pullRequest(place, ({ activity }) => activity.some((entry) => entry.kind === verdict));
    const entry = found?.activity.find((one) => one.kind === verdict);
    if (found === undefined || entry?.kind !== verdict || entry.person.type !== 'user') return undefined;
    return { kind, repository: place.repository.uuid, number: found.number, user: entry.person.uuid };
  };

const isThere = ({ deleted }: Comment): boolean => !deleted;
const nothing = (): object => ({});

/** Pushes, branches and tags. */
const GIT_KINDS: Record<string, ChurnKind> = {
  push: async (place) => {
    const branch = pickOne(place.random, ['main', 'main', ...(await branches(place))]);
    return git(place, { kind: 'push', branch, commits: commits(place, 1 + place.random.below(7)) });
  },
  force_push: async (place) => {
    const branch = pickOne(place.random, await branches(place));
    if (branch === undefined) return undefined;
    return git(place, { kind: 'push', branch, onto: 'main', commits: commits(place, 1) });
  },
  'branch.create': async (place) => {
    if (place.repository.mainBranch === null) return undefined;
    const branch = `${PREFIX}${place.turn}`;
    return git(place, { kind: 'push', branch, commits: commits(place, 1 + place.random.below(3)) });
  },
  'branch.delete': async (place) => {
    const name = pickOne(place.random, await branches(place));
    return name === undefined ? undefined : git(place, { kind: 'deleteBranch', name });
  },
  'tag.create': (place) => {
    if (place.repository.mainBranch === null) return undefined;
    const message = place.random.chance(0.5) ? { message: `Tag ${place.turn}\n` } : {};
    return git(place, { kind: 'createTag', name: `churn-${place.turn}`, target: 'main', ...message });
  },
};

const PULL_REQUEST_KINDS: Record<string, ChurnKind> = {
  'pull_request.create': async (place) => {
    const source = pickOne(place.random, await branches(place));
    if (source === undefined) return undefined;
    const fields = { title: `Churn ${place.turn}`, source, reviewers: [somebody(place).uuid] };
    const repository = place.repository.uuid;
    return { kind: 'pull_request.create', repository, user: somebody(place).uuid, ...fields };
  },
  'pull_request.edit': onPullRequest('pull_request.edit', isOpen, ({ turn, random }) =>
    random.chance(0.5) ? { title: `Title ${turn}` } : { description: `Description ${turn}` },
  ),
  'pull_request.reviewers': onPullRequest('pull_request.reviewers', isOpen, (place) => ({
    reviewers: [...new Set([somebody(place).uuid, somebody(place).uuid])],
  })),
  'pull_request.approve': onPullRequest('pull_request.approve', isOpen, nothing),
  'pull_request.unapprove': takeBack('pull_request.unapprove', 'approval'),
  'pull_request.request_changes': onPullRequest('pull_request.request_changes', isOpen, nothing),
  'pull_request.withdraw_changes': takeBack('pull_request.withdraw_changes', 'changes_requested'),
  'pull_request.merge': onPullRequest(
    'pull_request.merge',
    (one) => isOpen(one) && one.source.branch.startsWith(PREFIX),
    ({ random }) => ({ squash: random.chance(0.3), close_source: random.chance(0.5) }),
  ),
  'pull_request.decline': onPullRequest('pull_request.decline', isOpen, ({ turn }) => ({
    reason: `Reason ${turn}`,
  })),
  'comment.add': onPullRequest(
    'comment.add',
    () => true,
    ({ turn }) => ({ raw: `Comment ${turn}` }),
  ),
  'comment.edit': onComment('comment.edit', isThere, ({ turn }) => ({ raw: `Edited ${turn}` })),
  'comment.delete': onComment('comment.delete', isThere, nothing),
  'comment.resolve': onComment('comment.resolve', (one) => isThere(one) && one.resolution === null, nothing),
  'comment.reopen': onComment('comment.reopen', (one) => isThere(one) && one.resolution !== null, nothing),
};

const TICKET_KINDS: Record<string, ChurnKind> = {
  'ticket.create': ({ repository, turn }) => ({
    kind: 'ticket.create',
    repository: repository.uuid,
    title: `Ticket ${turn}`,
  }),
  'ticket.edit': ({ repository, random, turn }) => {
    const number = pickOne(random, [...repository.tickets.keys()]);
    if (number === undefined) return undefined;
    return { kind: 'ticket.edit', repository: repository.uuid, number, title: `Ticket again ${turn}` };
  },
  'ticket.comment': ({ repository, random, turn }) => {
    const number = pickOne(random, [...repository.tickets.keys()]);
    if (number === undefined) return undefined;
    return { kind: 'ticket.comment', repository: repository.uuid, number, raw: `Ticket comment ${turn}` };
  },
};

const REPOSITORY_KINDS: Record<string, ChurnKind> = {
  'repository.rename': ({ repository, turn }) => ({
    kind: 'repository.rename',
    repository: repository.uuid,
    slug: `${repository.slug.replace(/-churn-\d+$/, '')}-churn-${turn}`,
  }),
  'repository.edit': ({ repository, turn }) => ({
    kind: 'repository.edit',
    repository: repository.uuid,
    description: `Description ${turn}`,
  }),
  'repository.create': ({ repository, turn }) => ({
    kind: 'repository.create',
    workspace: repository.workspace.slug,
    slug: `churn-${turn}`,
    commits: 5,
    pull_requests: 2,
  }),
  'repository.delete': ({ repository }) => ({ kind: 'repository.delete', repository: repository.uuid }),
};

export const CHURN_KINDS: Readonly<Record<string, ChurnKind>> = {
  ...GIT_KINDS,
  ...PULL_REQUEST_KINDS,
  ...TICKET_KINDS,
  ...REPOSITORY_KINDS,
};

/** How often each comes where no kinds are named; those that are missing come only by name. */
export const USUAL: Readonly<Record<string, number>> = {
  push: 6,
  force_push: 1,
  'branch.create': 3,
  'branch.delete': 1,
  'tag.create': 1,
  'pull_request.create': 3,
  'pull_request.edit': 3,
  'pull_request.reviewers': 1,
  'pull_request.approve': 3,
  'pull_request.unapprove': 1,
  'pull_request.request_changes': 1,
  'pull_request.withdraw_changes': 1,
  'pull_request.merge': 2,
  'pull_request.decline': 1,
  'comment.add': 6,
  'comment.edit': 2,
  'comment.delete': 1,
  'comment.resolve': 1,
  'comment.reopen': 1,
  'repository.rename': 0.2,
  'repository.edit': 0.3,
};
