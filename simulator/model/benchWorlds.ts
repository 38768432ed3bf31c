import type { RepositorySpec, WorkspaceSpec, WorldSpec } from './worldSpec.ts';

/** Worlds to measure with: plain amounts instead of every kind of oddity. */

const WORKSPACE: WorkspaceSpec = {
  slug: 'acme-rockets',
  name: 'Acme Rockets',
  projects: [{ key: 'ENG', name: 'Engineering' }],
};

/** One pull request in so many has a comment that the activity does not show. */
const SHORT_FEED_EVERY = 200;

/** One repository, `acme-rockets/flight-control`, whose pull requests have the activity of `activityMix.ts`. */
export function mixWorld(amounts: { pullRequests: number; commits: number; flawed: boolean }): WorldSpec {
  const { pullRequests, commits, flawed } = amounts;
  return {
    workspaces: [WORKSPACE],
    repositories: [
      {
        workspace: 'acme-rockets',
        project: 'ENG',
        slug: 'flight-control',
        pullRequests,
        commits,
        branches: 6,
        tags: 8,
        activity: { shortFeedEvery: flawed ? SHORT_FEED_EVERY : 0 },
      },
    ],
    contributors: 40,
  };
}

/** Many small repositories, `acme-rockets/service-0001` and so on: 0 to 9 pull requests, 5 to 29 commits. */
export function manyRepositoriesWorld(count: number): WorldSpec {
  const digits = String(count).length;
  const repositories = Array.from(
    { length: count },
    (_, index): RepositorySpec => ({
      workspace: 'acme-rockets',
      project: 'ENG',
      slug: `service-${String(index + 1).padStart(digits, '0')}`,
      pullRequests: index % 10,
      commits: 5 + (index % 25),
    }),
  );
  return { workspaces: [WORKSPACE], repositories, contributors: 40 };
}

/** Pull requests of the repositories that lend the quiet ones their git side. */
const QUIET_PULL_REQUESTS = [0, 1, 3, 6];

/**
 * A host on which nothing happens: `repositories` of them in one workspace, 0 to 6 pull requests each by so many
 * authors, all of them members. Only the first four have a git side of their own, so 10,000 are made in a moment.
 */
export function quietWorld(amounts: { repositories: number; authors: number }): WorldSpec {
  const digits = String(amounts.repositories).length;
  const slugOf = (index: number): string => `quiet-${String(index + 1).padStart(digits, '0')}`;
  const repositories = Array.from({ length: amounts.repositories }, (_, index): RepositorySpec => {
    const kind = index % QUIET_PULL_REQUESTS.length;
    return {
      workspace: 'acme-rockets',
      project: 'ENG',
      slug: slugOf(index),
      pullRequests: QUIET_PULL_REQUESTS[kind] ?? 0,
      commits: 12,
      ...(index === kind ? { isShared: true } : { sharesGitOf: `acme-rockets/${slugOf(kind)}` }),
    };
  });
  return {
    workspaces: [WORKSPACE],
    repositories,
    contributors: amounts.authors,
    members: amounts.authors,
  };
}
