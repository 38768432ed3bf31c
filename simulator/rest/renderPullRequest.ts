import { fullName, type Repository } from '../model/entities.ts';
import {
  type Activity,
  type Comment,
  commentCount,
  type PullRequest,
  type Side,
  type Update,
} from '../model/pullRequest.ts';
import { formatMicros } from '../model/time.ts';
import { type Json, quote, rendered } from './json.ts';
import type { RenderPeople } from './renderPeople.ts';
import type { RenderRepository } from './renderRepository.ts';
import type { Urls } from './urls.ts';

/** What lists omit (facts 3.7; `rendered` is in no recorded list either). */
export interface PullRequestParts {
  rendered: boolean;
  reviewers: boolean;
  participants: boolean;
}

export interface RenderPullRequest {
  pullRequest(repository: Repository, pullRequest: PullRequest, parts: PullRequestParts): Json;
  comment(repository: Repository, pullRequest: PullRequest, comment: Comment): Json;
  activity(repository: Repository, pullRequest: PullRequest, entry: Activity): Json;
}

/** Hashes inside pull requests have twelve characters (facts 5.4). */
const SHORT_HASH = 12;

export function createRenderPullRequest(
  urls: Urls,
  people: RenderPeople,
  repositories: RenderRepository,
): RenderPullRequest {
  const api = (repository: Repository): string => `${urls.api}/repositories/${fullName(repository)}`;
  const web = (repository: Repository): string => `${urls.web}/${fullName(repository)}`;

  function commit(repository: Repository, fullHash: string): Json {
    const hash = fullHash.slice(0, SHORT_HASH);
    return `{"type":"commit","hash":"${hash}","links":{"self":{"href":"${api(repository)}/commit/${hash}"},"html":{"href":"${web(repository)}/commits/${hash}"}}}`;
  }

  function side(repository: Repository, which: Side, emptyLinks: boolean): Json {
    const branch = `{"name":${quote(which.branch)}${emptyLinks ? ',"links":{}' : ''}}`;
    const hash = which.hash === null ? 'null' : commit(repository, which.hash);
    const home = which.repository === 'gone' ? 'null' : repositories.short(repository);
    return `{"branch":${branch},"commit":${hash},"repository":${home}}`;
  }

  function links(repository: Repository, pullRequest: PullRequest): Json {
    const self = `${api(repository)}/pullrequests/${pullRequest.number}`;
    const link = (name: string, path: string): Json => `"${name}":{"href":"${self}${path}"}`;
    const source = pullRequest.source.hash?.slice(0, SHORT_HASH) ?? '';
    const destination = pullRequest.destination.hash?.slice(0, SHORT_HASH) ?? '';
    const spec = `${fullName(repository)}:${source}%0D${destination}?from_pullrequest_id=${pullRequest.number}&topic=true`;
    return `{${link('self', '')},"html":{"href":"${web(repository)}/pull-requests/${pullRequest.number}"},${link('commits', '/commits')},${link('approve', '/approve')},${link('request-changes', '/request-changes')},"diff":{"href":"${api(repository)}/diff/${spec}"},"diffstat":{"href":"${api(repository)}/diffstat/${spec}"},${link('comments', '/comments')},${link('activity', '/activity')},${link('merge', '/merge')},${link('decline', '/decline')},${link('statuses', '/statuses')},${link('mergeability_checks', '/mergeability/checks')}}`;
  }

  /** The pull request as activity and comments mention it. */
  function mention(repository: Repository, pullRequest: PullRequest): Json {
    return `{"type":"pullrequest","id":${pullRequest.number},"title":${quote(pullRequest.title)},"draft":${pullRequest.draft},"links":{"self":{"href":"${api(repository)}/pullrequests/${pullRequest.number}"},"html":{"href":"${web(repository)}/pull-requests/${pullRequest.number}"}}}`;
  }

  function participants(pullRequest: PullRequest): Json {
    const list = pullRequest.participants.map(
      (entry) =>
        `{"type":"participant","user":${people.person(entry.person)},"role":"${entry.role}","approved":${entry.approved},"state":${quote(entry.state)},"participated_on":${entry.participatedOn === null ? 'null' : `"${formatMicros(entry.participatedOn)}"`}}`,
    );
    return `[${list.join(',')}]`;
  }

  const reviewers = (list: PullRequest['reviewers']): Json =>
    `[${list.map((person) => people.person(person)).join(',')}]`;

  function comment(repository: Repository, pullRequest: PullRequest, entry: Comment): Json {
    const self = `${api(repository)}/pullrequests/${pullRequest.number}/comments/${entry.id}`;
    const parent =
      entry.parentId === null
        ? ''
        : `"parent":{"id":${entry.parentId},"links":{"self":{"href":"${api(repository)}/pullrequests/${pullRequest.number}/comments/${entry.parentId}"}}},`;
    const inline =
      entry.inline === null
        ? ''
        : `"inline":{"from":${entry.inline.from},"to":${entry.inline.to},"path":${quote(entry.inline.path)}},`;
    const resolution =
      entry.resolution === null
        ? ''
        : `"resolution":{"type":"comment_resolution","user":${people.person(entry.resolution.person)},"created_on":"${formatMicros(entry.resolution.createdOn)}"},`;
    return `{"id":${entry.id},"created_on":"${formatMicros(entry.createdOn)}","updated_on":"${formatMicros(entry.updatedOn)}","content":${rendered(entry.raw)},"user":${people.person(entry.person)},"deleted":${entry.deleted},${parent}${inline}${resolution}"pending":false,"type":"pullrequest_comment","links":{"self":{"href":"${self}"},"html":{"href":"${web(repository)}/pull-requests/${pullRequest.number}/_/diff#comment-${entry.id}"}},"pullrequest":${mention(repository, pullRequest)}}`;
  }

  function update(repository: Repository, pullRequest: PullRequest, entry: Update): Json {
    return `{"state":"${entry.state}","draft":${entry.draft},"title":${quote(entry.title)},"description":${quote(entry.description)},"reviewers":${reviewers(entry.reviewers)},"changes":${JSON.stringify(entry.changes)},"reason":${quote(entry.reason)},"author":${people.person(entry.person)},"date":"${formatMicros(entry.date)}","destination":${side(repository, pullRequest.destination, false)},"source":${side(repository, pullRequest.source, false)}}`;
  }

  return {
    comment,
    pullRequest(repository, pullRequest, parts) {
      const merge = pullRequest.mergeHash === null ? 'null' : commit(repository, pullRequest.mergeHash);
      const description = quote(pullRequest.description);
      const summary = rendered(pullRequest.description);
      return `{"comment_count":${commentCount(pullRequest)},"task_count":${pullRequest.taskCount},"type":"pullrequest","id":${pullRequest.number},"title":${quote(pullRequest.title)},"description":${description},${parts.rendered ? `"rendered":{"title":${rendered(pullRequest.title)},"description":${summary},"reason":${rendered(pullRequest.reason)}},` : ''}"state":"${pullRequest.state}","draft":${pullRequest.draft},"merge_commit":${merge},"close_source_branch":${pullRequest.closeSourceBranch},"closed_by":${people.person(pullRequest.closedBy)},"author":${people.person(pullRequest.author)},"reason":${quote(pullRequest.reason)},"created_on":"${formatMicros(pullRequest.createdOn)}","updated_on":"${formatMicros(pullRequest.updatedOn)}","destination":${side(repository, pullRequest.destination, false)},"source":${side(repository, pullRequest.source, pullRequest.number % 2 === 0)},${parts.reviewers ? `"reviewers":${reviewers(pullRequest.reviewers)},` : ''}${parts.participants ? `"participants":${participants(pullRequest)},` : ''}"links":${links(repository, pullRequest)},"summary":${summary},"queued":false}`;
    },
    activity(repository, pullRequest, entry) {
      const head = `{"pull_request":${mention(repository, pullRequest)}`;
      if (entry.kind === 'none') return `${head}}`;
      if (entry.kind === 'update')
        return `${head},"update":${update(repository, pullRequest, entry.update)}}`;
      if (entry.kind === 'comment')
        return `${head},"comment":${comment(repository, pullRequest, entry.comment)}}`;
      return `${head},"${entry.kind}":{"date":"${formatMicros(entry.at)}","user":${people.person(entry.person)},"pullrequest":${mention(repository, pullRequest)}}}`;
    },
  };
}
