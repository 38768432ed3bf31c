import { fullName, type Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import { type Activity, type Comment, commentCount, type PullRequest } from '../model/pullRequest.ts';
import type { Ticket } from '../model/tickets.ts';
import { formatMicros, type Micros } from '../model/time.ts';
import type { Host } from '../rest/host.ts';

/** One line of the canonical truth; the README documents the fields of every kind. */
export type TruthLine = { kind: string; repository?: string } & Record<string, unknown>;

const moment = (micros: Micros | null): string | null => (micros === null ? null : formatMicros(micros));

/** The account as an answer shows it; a former user has no account id, a removed one is null. */
const actor = (person: Person | null): string | null => person?.uuid ?? null;

function repositoryLine(repository: Repository): TruthLine {
  return {
    kind: 'repository',
    repository: repository.uuid,
    workspace: repository.workspace.uuid,
    project: repository.project.uuid,
    full_name: fullName(repository),
    slug: repository.slug,
    name: repository.name,
    description: repository.description,
    is_private: repository.isPrivate,
    language: repository.language,
    main_branch: repository.mainBranch,
    parent: repository.parent?.uuid ?? null,
    size: repository.sizeBytes,
    has_tracker: repository.trackerEnabled,
    pull_requests: repository.pullRequests.count,
    tickets: repository.tickets.size,
    created_on: moment(repository.createdOn),
    updated_on: moment(repository.updatedOn),
  };
}

const hash12 = (hash: string | null): string | null => hash?.slice(0, 12) ?? null;

function* pullRequestLines(repository: Repository, pullRequest: PullRequest): Iterable<TruthLine> {
  const key = { repository: repository.uuid, pull_request: pullRequest.number };
  const home = (which: PullRequest['source']): string | null =>
    which.repository === 'gone' ? null : repository.uuid;
  yield {
    kind: 'pull_request',
    repository: repository.uuid,
    number: pullRequest.number,
    title: pullRequest.title,
    description: pullRequest.description,
    state: pullRequest.state,
    draft: pullRequest.draft,
    author: actor(pullRequest.author),
    closed_by: actor(pullRequest.closedBy),
    reason: pullRequest.reason,
    source_branch: pullRequest.source.branch,
    source_commit: hash12(pullRequest.source.hash),
    source_repository: home(pullRequest.source),
    destination_branch: pullRequest.destination.branch,
    destination_commit: hash12(pullRequest.destination.hash),
    destination_repository: home(pullRequest.destination),
    merge_commit: hash12(pullRequest.mergeHash),
    close_source_branch: pullRequest.closeSourceBranch,
    comment_count: commentCount(pullRequest),
    task_count: pullRequest.taskCount,
    reviewers: pullRequest.reviewers.map((person) => person.uuid),
    created_on: moment(pullRequest.createdOn),
    updated_on: moment(pullRequest.updatedOn),
  };
  for (const participant of pullRequest.participants) {
    yield {
      kind: 'participant',
      ...key,
      user: participant.person.uuid,
      role: participant.role,
      approved: participant.approved,
      state: participant.state,
      participated_on: moment(participant.participatedOn),
    };
  }
  // What no list shows happened all the same: it follows from the comment.
  const activity = [...pullRequest.activity, ...(pullRequest.hiddenActivity ?? [])];
  for (const [position, entry] of activity.entries()) {
    yield activityLine(key, position, entry);
  }
  for (const comment of pullRequest.comments) yield commentLine(key, comment);
}

/** What the history tells of the commits of a merged pull request: the merge's other side, or the squash itself. */
async function commitLines(
  host: Host,
  repository: Repository,
  { number, mergeHash, source }: PullRequest,
  sides: ReadonlyMap<string, string[]>,
): Promise<TruthLine[]> {
  if (mergeHash === null) return [];
  const line = { kind: 'pull_request_commit', repository: repository.uuid, pull_request: number };
  const side = sides.get(mergeHash);
  if (side !== undefined) return side.map((commit) => ({ ...line, commit, source: 'merge_commit' }));
  const merge = await host.git.commit(repository.gitKey, mergeHash);
  const isSquash = merge?.parents.length === 1 && merge.hash !== source.hash;
  return isSquash ? [{ ...line, commit: mergeHash, source: 'squash' }] : [];
}

interface PullRequestKey {
  repository: string;
  pull_request: number;
}

function activityLine(key: PullRequestKey, position: number, entry: Activity): TruthLine {
  const line = { kind: 'activity', ...key, position, entry: entry.kind };
  switch (entry.kind) {
    case 'none':
      return { ...line, date: null, user: null };
    case 'comment':
      return {
        ...line,
        date: moment(entry.comment.createdOn),
        user: actor(entry.comment.person),
        comment: entry.comment.id,
      };
    case 'update':
      return {
        ...line,
        date: moment(entry.update.date),
        user: actor(entry.update.person),
        state: entry.update.state,
        title: entry.update.title,
        draft: entry.update.draft,
        reason: entry.update.reason,
        changes: entry.update.changes,
      };
    default:
      return { ...line, date: moment(entry.at), user: actor(entry.person) };
  }
}

function commentLine(key: PullRequestKey, comment: Comment): TruthLine {
  return {
    kind: 'comment',
    ...key,
    id: comment.id,
    raw: comment.raw,
    user: actor(comment.person),
    created_on: moment(comment.createdOn),
    updated_on: moment(comment.updatedOn),
    deleted: comment.deleted,
    parent: comment.parentId,
    path: comment.inline?.path ?? null,
    line_from: comment.inline?.from ?? null,
    line_to: comment.inline?.to ?? null,
    resolved_by: actor(comment.resolution?.person ?? null),
    resolved_on: moment(comment.resolution?.createdOn ?? null),
  };
}

function* ticketLines(repository: Repository, ticket: Ticket): Iterable<TruthLine> {
  const key = { repository: repository.uuid, ticket: ticket.id };
  yield {
    kind: 'ticket',
    repository: repository.uuid,
    number: ticket.id,
    title: ticket.title,
    raw: ticket.raw,
    reporter: actor(ticket.reporter),
    assignee: actor(ticket.assignee),
    state: ticket.state,
    ticket_kind: ticket.kind,
    priority: ticket.priority,
    component: ticket.component,
    milestone: ticket.milestone,
    version: ticket.version,
    votes: ticket.votes,
    watches: ticket.watches,
    created_on: moment(ticket.createdOn),
    updated_on: moment(ticket.updatedOn),
    edited_on: moment(ticket.editedOn),
  };
  for (const comment of ticket.comments) {
    yield {
      kind: 'ticket_comment',
      ...key,
      id: comment.id,
      raw: comment.raw,
      user: actor(comment.person),
      created_on: moment(comment.createdOn),
      updated_on: moment(comment.updatedOn),
    };
  }
  for (const change of ticket.changes) {
    yield {
      kind: 'ticket_change',
      ...key,
      id: change.id,
      user: actor(change.person),
      message: change.message,
      changes: change.changes,
      created_on: moment(change.createdOn),
    };
  }
}

/**
 * Everything there is to store about the host or one repository, one entity a line. `git: false` leaves out what only
 * git knows, which takes the longest to tell.
 */
export async function* truthLines(
  host: Host,
  { only, git = true }: { only?: string | undefined; git?: boolean } = {},
): AsyncIterable<TruthLine> {
  const { world } = host;
  if (only === undefined) {
    for (const workspace of world.workspaces) {
      yield {
        kind: 'workspace',
        workspace: workspace.uuid,
        slug: workspace.slug,
        name: workspace.name,
        is_private: workspace.isPrivate,
        created_on: moment(workspace.createdOn),
      };
      for (const project of workspace.projects) {
        yield {
          kind: 'project',
          project: project.uuid,
          workspace: workspace.uuid,
          key: project.key,
          name: project.name,
          description: project.description,
          is_private: project.isPrivate,
          created_on: moment(project.createdOn),
          updated_on: moment(project.updatedOn),
        };
      }
    }
  }
  for (const repository of world.repositories) {
    if (repository.deleted || (only !== undefined && repository.uuid !== only)) continue;
    yield repositoryLine(repository);
    if (git) {
      for await (const line of host.git.truth(repository.gitKey)) {
        yield { ...line, repository: repository.uuid };
      }
    }
    const sides = git
      ? await host.git.sidesOfMerges(repository.gitKey, repository.mainBranch ?? '')
      : undefined;
    for (const number of repository.pullRequests.numbers()) {
      const pullRequest = repository.pullRequests.get(number);
      if (pullRequest === undefined) continue;
      yield* pullRequestLines(repository, pullRequest);
      if (sides !== undefined) yield* await commitLines(host, repository, pullRequest, sides);
    }
    // Trackers are gone today; what nobody can read is no truth to compare with.
    if (host.era === 'guide' && repository.trackerEnabled) {
      for (const ticket of repository.tickets.values()) yield* ticketLines(repository, ticket);
    }
  }
}
