import type { PullRequestSpec } from '../git/store.ts';
import type { PullRequestState } from './pullRequest.ts';
import { createRandom, mix, type Random } from './random.ts';

/** What must be known about a pull request before its commits are made. */
export interface PullRequestPlan {
  state: PullRequestState;
  sourceBranch: string;
  keepSourceBranch: boolean;
  commits: number;
}

/** One stream of choices per purpose, so that a new choice in one does not move the others. */
export function pullRequestRandom(seed: number, number: number, purpose: number): Random {
  return createRandom(mix(seed, number, purpose));
}

/** Branch names of every legal kind (facts 3.6); the number keeps them unique. */
function branchName(random: Random, number: number): string {
  if (number % 29 === 3) return `fix/${number}-größe&größer=#1`;
  if (number % 29 === 17) return `user@home/${number},weird!name;$x`;
  const kind = random.pick(['feature', 'bugfix', 'hotfix', 'chore']);
  return `${kind}/${number}-${random.pick(['login', 'export', 'search', 'retry', 'cache', 'totals'])}`;
}

/** The newest tenth is mostly open, the rest mostly merged. */
export function planPullRequest(seed: number, number: number, total: number): PullRequestPlan {
  const random = pullRequestRandom(seed, number, 1);
  const recent = number > total * 0.9;
  const roll = random.next();
  let state: PullRequestState = 'MERGED';
  if (roll < (recent ? 0.7 : 0.02)) state = 'OPEN';
  else if (roll > 0.97) state = 'SUPERSEDED';
  else if (roll > 0.9) state = 'DECLINED';
  return {
    state,
    sourceBranch: branchName(random, number),
    keepSourceBranch: state === 'OPEN' || random.chance(0.03),
    commits: 1 + random.below(random.chance(0.2) ? 5 : 2),
  };
}

export function planForGit(seed: number, total: number): PullRequestSpec[] {
  return Array.from({ length: total }, (_, index) => {
    const plan = planPullRequest(seed, index + 1, total);
    return { number: index + 1, destinationBranch: 'main', ...plan };
  });
}
