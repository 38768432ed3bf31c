import type { FastImport, FileChange, WhoAndWhen } from './fastImport.ts';
import { createProjectFiles, type ProjectBranch, type ProjectFiles, words } from './projectFiles.ts';
import type { Random } from './random.ts';
import type { GenerateSpec, PullRequestSpec } from './store.ts';

/** What happened to a pull request, in marks of the stream. */
export interface PullRequestHistory {
  spec: PullRequestSpec;
  author: WhoAndWhen;
  /** Oldest first, with the time of each in seconds. */
  commits: { mark: number; seconds: number }[];
  destination: number;
  merge: { mark: number; by: WhoAndWhen; squashed: boolean } | null;
}

export interface History {
  /** The first-parent line of the main branch, oldest first. */
  mainLine: number[];
  pullRequests: PullRequestHistory[];
  /** Branches that must exist in the end, by name. */
  branches: Map<string, number>;
}

/** All of time in a generated repository, in seconds: before the `guide` era's now, 2026-06-01. */
export const FIRST_SECOND = Date.UTC(2023, 0, 9, 8) / 1_000;
export const LAST_SECOND = Date.UTC(2026, 4, 29, 16) / 1_000;
const ZONES = ['+0000', '+0100', '-0800', '+0530', '+0900', '-0300'];
const OPEN_AT_ONCE = 6;

interface Line {
  ref: string;
  tip: number;
  files: ProjectFiles;
}

interface ActivePullRequest {
  history: PullRequestHistory;
  slot: number;
  files: ProjectBranch;
  line: Line;
}

/** How many commits go straight to the main branch, so that branches and tags reach `spec.commits`. */
export function directCommits(spec: GenerateSpec, squashed: ReadonlySet<number>, others: number): number {
  let reachable = others;
  for (const pullRequest of spec.pullRequests) {
    const own = squashed.has(pullRequest.number) ? 0 : pullRequest.commits;
    if (pullRequest.state === 'MERGED') reachable += own + 1;
    const kept = pullRequest.keepSourceBranch || pullRequest.state === 'OPEN';
    if (kept && (own === 0 || pullRequest.state !== 'MERGED')) reachable += pullRequest.commits;
  }
  return Math.max(1, spec.commits - reachable);
}

/**
 * Writes the life of a project: commits on the main branch, and up to six pull requests at a time beside
 * them. `interlude` runs once in the middle of the main branch and returns its new tip.
 */
export async function writeHistory(
  importer: FastImport,
  random: Random,
  spec: GenerateSpec,
  plan: { direct: number; squashed: ReadonlySet<number>; interlude?: (tip: number) => number },
): Promise<History> {
  const rootFiles = createProjectFiles(random, Math.min(2_000, Math.max(15, spec.commits / 10)));
  const history: History = { mainLine: [], pullRequests: [], branches: new Map() };
  const lines = new Map<string, Line>();
  const active: ActivePullRequest[] = [];
  const waiting = spec.pullRequests.toReversed();
  const freeSlots = Array.from({ length: OPEN_AT_ONCE }, (_, slot) => slot);
  let direct = plan.direct;
  let events = plan.direct + spec.pullRequests.reduce((sum, each) => sum + each.commits + 1, 0);
  let pullRequestEvents = events - plan.direct;
  let now = FIRST_SECOND;
  let interlude = plan.interlude;

  function tick(): number {
    const left = LAST_SECOND - now;
    now += Math.max(1, Math.floor((left / (events + 1)) * (0.5 + random.next())));
    events -= 1;
    return now;
  }

  function anybody(): WhoAndWhen {
    const at = Math.floor(random.next() ** 2 * spec.authors.length);
    const { name, email } = spec.authors[at] ?? { name: 'Nobody', email: 'nobody@example.test' };
    return { name, email, seconds: now, zone: ZONES[at % ZONES.length] ?? '+0000' };
  }

  function onLine(line: Line, mark: number): void {
    line.tip = mark;
    if (line.ref === 'refs/heads/main') history.mainLine.push(mark);
  }

  function lineOf(branch: string): Line {
    const known = lines.get(branch);
    if (known) return known;
    const main = lines.get('main');
    const line = { ref: `refs/heads/${branch}`, tip: main?.tip ?? 0, files: main?.files ?? rootFiles };
    if (main) importer.reset(line.ref, main.tip);
    lines.set(branch, line);
    return line;
  }

  function writeDirect(): void {
    const line = lineOf('main');
    tick();
    const committer = anybody();
    const first = line.tip === 0;
    const changes = line.files.edit(first ? 12 : fileCount(random));
    const author = { ...committer, seconds: authoredAt(random, committer.seconds) };
    const message = first ? 'Begin\n' : messageOf(random);
    onLine(line, importer.commit({ ref: line.ref, author, committer, message, changes }));
    direct -= 1;
    if (interlude && direct <= plan.direct / 2) {
      onLine(line, interlude(line.tip));
      interlude = undefined;
    }
  }

  function open(pullRequest: PullRequestSpec): void {
    const line = lineOf(pullRequest.destinationBranch);
    const made = { spec: pullRequest, author: anybody(), commits: [], destination: line.tip, merge: null };
    history.pullRequests.push(made);
    active.push({ history: made, slot: freeSlots.pop() ?? 0, files: line.files.branch(), line });
  }

  function writeSide({ history: made, slot, files }: ActivePullRequest): void {
    const seconds = tick();
    const person = { ...made.author, seconds };
    // Naming the tip again would make git load its tree again.
    const from = made.commits.length === 0 ? { from: made.destination } : {};
    const changes = files.edit(fileCount(random));
    const message = messageOf(random);
    const ref = `refs/simulator/slot-${slot}`;
    const mark = importer.commit({ ref, author: person, committer: person, message, ...from, changes });
    made.commits.push({ mark, seconds });
  }

  function finish(pullRequest: ActivePullRequest): void {
    const { history: made, line, files, slot } = pullRequest;
    tick();
    active.splice(active.indexOf(pullRequest), 1);
    freeSlots.push(slot);
    const tip = made.commits.at(-1)?.mark ?? made.destination;
    const { spec: wanted } = made;
    if (wanted.state === 'MERGED') {
      const by = anybody();
      const squashed = plan.squashed.has(wanted.number);
      const message = mergeMessage(random, wanted);
      const merges = squashed ? {} : { merges: [tip] };
      const author = squashed ? { ...made.author, seconds: now } : by;
      made.destination = line.tip;
      const changes: FileChange[] = files.takeOver();
      const mark = importer.commit({ ref: line.ref, author, committer: by, message, ...merges, changes });
      made.merge = { mark, by, squashed };
      onLine(line, mark);
    }
    if (wanted.keepSourceBranch || wanted.state === 'OPEN') history.branches.set(wanted.sourceBranch, tip);
  }

  writeDirect();
  while (direct > 0 || pullRequestEvents > 0) {
    await importer.ready();
    if (random.next() * (direct + pullRequestEvents) < direct) {
      writeDirect();
      continue;
    }
    const mayOpen = waiting.length > 0 && active.length < OPEN_AT_ONCE;
    if (mayOpen && (active.length === 0 || random.chance(0.4))) {
      const next = waiting.pop();
      if (next) open(next);
      continue;
    }
    const chosen = random.pick(active);
    if (chosen.history.commits.length < chosen.history.spec.commits) writeSide(chosen);
    else finish(chosen);
    pullRequestEvents -= 1;
  }
  for (const [branch, line] of lines) history.branches.set(branch, line.tip);
  return history;
}

function fileCount(random: Random): number {
  return 1 + Math.floor(random.next() ** 2 * 6.5);
}

/** Some commits were written days before they were committed, as after a rebase. */
function authoredAt(random: Random, seconds: number): number {
  return random.chance(0.1) ? seconds - random.below(3 * 86_400) : seconds;
}

function messageOf(random: Random): string {
  const subject = `${random.pick(['Add', 'Fix', 'Move', 'Keep', 'Drop', 'Sort'])} ${words(random, 3)}`;
  return random.chance(0.25) ? `${subject}\n\n${words(random, 12)}\n${words(random, 9)}\n` : `${subject}\n`;
}

function mergeMessage(random: Random, { number, sourceBranch, title }: PullRequestSpec): string {
  return `Merged in ${sourceBranch} (pull request #${number})\n\n${title ?? words(random, 4)}\n`;
}
