import { commentNotShown, entryCounts } from './activityMix.ts';
import type { PullRequestGit } from './gitColumns.ts';
import type { Person } from './people.ts';
import type { Activity, Comment, Participant, PullRequest, PullRequestState } from './pullRequest.ts';
import { planPullRequest, pullRequestRandom } from './pullRequestPlan.ts';
import type { Random } from './random.ts';
import { bodyText, commentText, filePath, titleText } from './texts.ts';
import { HOUR, type Micros, MINUTE, SECOND } from './time.ts';
import type { ActivityMix } from './worldSpec.ts';

export interface GenerateInput {
  seed: number;
  number: number;
  total: number;
  /** First comment id of the repository. */
  commentBase: number;
  git: PullRequestGit;
  contributors: readonly Person[];
  /** Default: a little of everything. */
  mix?: ActivityMix;
}

/** Comment ids of one pull request: `commentBase + number * COMMENTS_EACH + index`. */
export const COMMENTS_EACH = 64;

/** Moments spread over the life of a pull request, oldest first. */
function moments(random: Random, from: Micros, to: Micros, count: number): Micros[] {
  const span = Math.max(to - from, count * 2 * SECOND);
  const list = Array.from(
    { length: count },
    () => from + SECOND + Math.floor(random.next() * (span - SECOND)),
  );
  return list.toSorted((left, right) => left - right);
}

function distinctPeople(
  random: Random,
  people: readonly Person[],
  count: number,
  not: Person | null,
): Person[] {
  const chosen: Person[] = [];
  for (let attempt = 0; chosen.length < count && attempt < count * 4; attempt += 1) {
    const candidate = random.pick(people);
    if (candidate !== not && !chosen.includes(candidate)) chosen.push(candidate);
  }
  return chosen;
}

function makeComments(input: GenerateInput, random: Random, at: Micros[], people: Person[]): Comment[] {
  const comments: Comment[] = [];
  for (const [index, createdOn] of at.entries()) {
    const roll = random.next();
    const previous = comments.at(-1);
    const deleted = roll < 0.05;
    const editor = random.pick(people);
    comments.push({
      id: input.commentBase + input.number * COMMENTS_EACH + index,
      raw: deleted ? '' : commentText(random),
      person: roll > 0.985 ? null : editor,
      createdOn,
      updatedOn: deleted || roll > 0.9 ? createdOn + 90 * SECOND + 1 : createdOn + 80,
      deleted,
      parentId: previous !== undefined && random.chance(0.3) ? previous.id : null,
      inline: random.chance(0.4)
        ? {
            path: filePath(random),
            from: random.chance(0.2) ? 1 + random.below(90) : null,
            to: 1 + random.below(400),
          }
        : null,
      resolution: random.chance(0.1) ? { person: editor, createdOn: createdOn + HOUR } : null,
    });
  }
  return comments;
}

const CLOSED_AS: Partial<Record<PullRequestState, string>> = {
  MERGED: 'fulfilled',
  DECLINED: 'rejected',
  SUPERSEDED: 'superseded',
};

/** Whoever commented, approved or is a reviewer, once each (facts 3.7). */
export function collectParticipants(
  reviewers: readonly Person[],
  activity: readonly Activity[],
): Participant[] {
  const found = new Map<string, Participant>();
  const of = (person: Person, role: Participant['role']): Participant => {
    const known = found.get(person.uuid);
    if (known !== undefined) return known;
    const made: Participant = { person, role, approved: false, state: null, participatedOn: null };
    found.set(person.uuid, made);
    return made;
  };
  for (const person of reviewers) of(person, 'REVIEWER');
  for (const entry of activity) {
    if (entry.kind === 'comment' && entry.comment.person !== null) {
      of(entry.comment.person, 'PARTICIPANT').participatedOn = entry.at;
    } else if (entry.kind === 'approval' || entry.kind === 'changes_requested') {
      const participant = of(entry.person, 'PARTICIPANT');
      participant.approved = entry.kind === 'approval';
      participant.state = entry.kind === 'approval' ? 'approved' : 'changes_requested';
      participant.participatedOn = entry.at;
    }
  }
  return [...found.values()];
}

/** The pull request of a number: a pure function of its input. */
export function generatePullRequest(input: GenerateInput): PullRequest {
  const { seed, number, git } = input;
  const plan = planPullRequest(seed, number, input.total);
  const random = pullRequestRandom(seed, number, 2);
  const author = number % 47 === 12 ? null : random.pick(input.contributors);
  const createdOn = git.lastCommit + 5 * MINUTE + random.below(1_000_000);
  const life = git.merged === null ? (4 + random.below(60)) * HOUR : git.merged - createdOn;
  const closedOn =
    git.merged === null ? createdOn + life : Math.max(git.merged, createdOn + MINUTE) + random.below(999_999);
  const reviewers = distinctPeople(random, input.contributors, 1 + random.below(3), author);
  const guests = distinctPeople(random, input.contributors, random.below(2), author);
  const title = titleText(random, number);
  const description = bodyText(random, number);
  const draft = plan.state === 'OPEN' && random.chance(0.2);
  const reason = plan.state === 'DECLINED' ? 'Not needed any more' : '';
  const commenters = author === null ? [...reviewers, ...guests] : [author, ...reviewers, ...guests];
  const { mix } = input;
  const counts = mix === undefined ? undefined : entryCounts(pullRequestRandom(seed, number, 3), number);
  const comments = makeComments(
    input,
    random,
    moments(random, createdOn, closedOn, counts?.comments ?? random.below(random.chance(0.04) ? 24 : 4)),
    commenters,
  );
  const update = (
    date: Micros,
    state: PullRequestState,
    changes: Record<string, { old: unknown; new: unknown }>,
  ) =>
    ({
      kind: 'update' as const,
      at: date,
      update: { state, title, description, draft, reviewers, changes, reason, person: author, date },
    }) satisfies Activity;

  const activity: Activity[] = [update(createdOn + 137, 'OPEN', {})];
  for (const comment of comments) activity.push({ kind: 'comment', at: comment.createdOn, comment });
  const verdicts = moments(random, createdOn, closedOn, reviewers.length);
  const retitled = (at: Micros) => update(at, 'OPEN', { title: { old: `WIP ${title}`, new: title } });
  // Of the mix's entries the first and the last are updates.
  const most = counts === undefined ? reviewers.length : counts.others - (plan.state === 'OPEN' ? 1 : 2);
  for (const [index, person] of reviewers.slice(0, Math.max(0, most)).entries()) {
    const at = verdicts[index] ?? closedOn;
    if (random.chance(0.7)) activity.push({ kind: 'approval', at, person });
    else if (random.chance(0.3)) activity.push({ kind: 'changes_requested', at, person });
  }
  if (counts === undefined) {
    if (random.chance(0.15)) activity.push(retitled(createdOn + Math.floor(life / 3) + 11));
  } else {
    const missing = 1 + most + comments.length - activity.length;
    for (const at of moments(random, createdOn, closedOn, Math.max(0, missing))) activity.push(retitled(at));
  }
  let closer: Person | null = null;
  if (plan.state !== 'OPEN') {
    closer = random.chance(0.5) || author === null ? random.pick(reviewers) : author;
    const closing = update(closedOn, plan.state, { status: { old: 'open', new: CLOSED_AS[plan.state] } });
    closing.update.person = closer;
    activity.push(closing);
  }
  if (mix === undefined && number % 23 === 8) activity.push({ kind: 'none', at: createdOn + 3 * SECOND });
  activity.sort((left, right) => left.at - right.at);
  const participants = collectParticipants(reviewers, activity);
  const unseen = mix && commentNotShown(number, comments, mix.shortFeedEvery);
  const isHidden = (entry: Activity): boolean => entry.kind === 'comment' && entry.comment === unseen;

  const sourceGone = number % 31 === 14 && plan.state !== 'OPEN';
  return {
    number,
    title,
    description,
    state: plan.state,
    draft,
    author,
    closedBy: closer,
    reason,
    createdOn,
    updatedOn: lastUpdate(number, createdOn, activity),
    source: {
      branch: plan.sourceBranch,
      hash: sourceGone ? null : git.sourceHash,
      repository: sourceGone ? 'gone' : 'here',
    },
    destination: {
      branch: 'main',
      hash: number % 61 === 20 ? null : git.destinationHash,
      repository: 'here',
    },
    mergeHash: git.mergeHash,
    closeSourceBranch: !plan.keepSourceBranch,
    taskCount: random.below(4),
    reviewers,
    participants,
    comments,
    activity: activity.filter((entry) => !isHidden(entry)),
    hiddenActivity: activity.filter(isHidden),
  };
}

/** One edit touched many pull requests at once: more equal `updated_on` values than a page holds. */
const BULK_EDIT: Micros = Date.UTC(2026, 4, 31, 12) * 1000;

/** When the pull request itself changed last: updates and comments count, approvals do not. */
function lastUpdate(number: number, createdOn: Micros, activity: readonly Activity[]): Micros {
  let last = number % 20 < 3 ? BULK_EDIT : createdOn;
  for (const entry of activity) {
    if (entry.kind === 'update') last = Math.max(last, entry.at);
    else if (entry.kind === 'comment') last = Math.max(last, entry.comment.updatedOn);
  }
  return last;
}
