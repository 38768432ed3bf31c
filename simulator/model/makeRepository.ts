import type { GeneratedRepository, GitStore } from '../git/store.ts';
import type { Project, Repository, Workspace } from './entities.ts';
import { generatedColumns } from './gitColumns.ts';
import { generatePullRequest } from './generatePullRequest.ts';
import type { Cast, Person } from './people.ts';
import { planForGit, planPullRequest } from './pullRequestPlan.ts';
import { createPullRequests, type Revision } from './pullRequests.ts';
import { bracedUuid, mix, textSeed } from './random.ts';
import { createTickets } from './tickets.ts';
import { DAY, MINUTE, parseMicros } from './time.ts';
import { HOST_START } from './workspaces.ts';
import type { RepositorySpec } from './worldSpec.ts';

/** What a host under construction has so far. */
export interface Builder {
  seed: number;
  git: GitStore;
  cast: Cast;
  contributors: Person[];
  workspaces: Workspace[];
  repositories: Repository[];
  /** Git sides that several repositories share, by the `workspace/slug` that brought them. */
  shared: Map<string, GitSide>;
  revision: Revision;
  /** Names taken in the git store. */
  keys: Set<string>;
}

/** The git side of a repository and what decides its pull requests. */
interface GitSide {
  key: string;
  seed: number;
  pullRequests: number;
  generated: GeneratedRepository;
}

function findProject(builder: Builder, spec: RepositorySpec): Project {
  const workspace = builder.workspaces.find((entry) => entry.slug === spec.workspace);
  const project = workspace?.projects.find((entry) => entry.key === spec.project);
  if (project === undefined) {
    throw new Error(`repository ${spec.slug}: no project ${spec.workspace}/${spec.project} in the world`);
  }
  return project;
}

async function gitSideOf(builder: Builder, spec: RepositorySpec, gitKey: string): Promise<GitSide> {
  if (spec.sharesGitOf !== undefined) {
    const shared = builder.shared.get(spec.sharesGitOf);
    if (shared?.pullRequests !== spec.pullRequests) {
      throw new Error(
        `repository ${spec.slug}: ${spec.sharesGitOf} must come before it and have as many pull requests`,
      );
    }
    return shared;
  }
  const seed = mix(builder.seed, textSeed(gitKey));
  const generated = await builder.git.generate({
    key: gitKey,
    seed,
    commits: spec.commits,
    branches: spec.branches ?? 2,
    tags: spec.tags ?? 0,
    authors: builder.contributors.map((person) => ({ name: person.displayName, email: person.email })),
    pullRequests: planForGit(seed, spec.pullRequests),
    odd: spec.oddGit ?? false,
  });
  return { key: gitKey, seed, pullRequests: spec.pullRequests, generated };
}

/** A name in the git store that no repository has, not even one that was renamed or deleted. */
function freeKey(builder: Builder, spec: RepositorySpec): string {
  const plain = `${spec.workspace}.${spec.slug}`;
  if (!builder.keys.has(plain)) return plain;
  for (let suffix = 2; ; suffix += 1) {
    const key = `${plain}.${suffix}`;
    if (!builder.keys.has(key)) return key;
  }
}

/** Makes one repository from its spec; `index` is its place among all, so that no comment id comes twice. */
export async function generateRepository(
  builder: Builder,
  spec: RepositorySpec,
  index: number,
): Promise<Repository> {
  const project = findProject(builder, spec);
  const gitKey = freeKey(builder, spec);
  builder.keys.add(gitKey);
  const side = await gitSideOf(builder, spec, gitKey);
  const isShared = spec.sharesGitOf !== undefined;
  if (spec.isShared === true) builder.shared.set(`${spec.workspace}/${spec.slug}`, side);
  // Other people in each, so that not all repositories of a git side have the same authors. Made when asked for: there
  // may be 10,000 such repositories.
  const people = (): Person[] =>
    isShared ? rotated(builder.contributors, mix(builder.seed, index)) : builder.contributors;
  const { seed: own, generated } = side;
  const git = generatedColumns(
    generated.pullRequests,
    (number) => planPullRequest(own, number, spec.pullRequests).sourceBranch,
  );
  // Eight digits and more, so that the biggest ids do not fit 32 bits with a sign.
  const commentBase = 418_000_000 + index * 450_000_000;
  const last = parseMicros(generated.lastCommitDate ?? '') ?? HOST_START;
  const freshTickets = () =>
    createTickets({
      seed: mix(own, 5),
      count: spec.trackerDisabled === true ? 0 : (spec.tickets ?? 0),
      commentBase: commentBase + 200_000_000,
      start: HOST_START + 90 * DAY,
      people: people(),
    });
  return {
    ...identity(builder, project, spec.slug, gitKey),
    gitKey: side.key,
    sharesGit: isShared,
    name: spec.name ?? spec.slug,
    description: index % 3 === 0 ? '' : index % 3 === 1 ? null : `What ${spec.slug} does 🛠`,
    isPrivate: spec.isPrivate ?? true,
    language: index % 2 === 0 ? '' : 'typescript',
    updatedOn: last + 250_001 - (isShared ? index * MINUTE : 0),
    sizeBytes: generated.sizeBytes,
    mainBranch: generated.mainBranch,
    formerSlugs: spec.formerSlugs ?? [],
    memberRight: spec.ownersOnly === true ? null : 'read',
    trackerEnabled: spec.trackerDisabled !== true,
    pullRequests: createPullRequests(
      spec.pullRequests,
      (number) =>
        generatePullRequest({
          seed: own,
          number,
          total: spec.pullRequests,
          commentBase,
          git: git.get(number),
          contributors: people(),
          ...(spec.activity === undefined ? {} : { mix: spec.activity }),
        }),
      builder.revision,
    ),
    tickets: freshTickets(),
    freshTickets,
    spec,
  };
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const at = by % Math.max(1, list.length);
  return [...list.slice(at), ...list.slice(0, at)];
}

/** What a repository is before anything is in it. */
export function identity(builder: Builder, project: Project, slug: string, gitKey: string) {
  return {
    uuid: bracedUuid(`${builder.seed}/repository/${gitKey}`),
    gitKey,
    sharesGit: false,
    workspace: project.workspace,
    project,
    slug,
    createdOn: project.createdOn + DAY + (textSeed(gitKey) % 86_400_000_000),
    parent: null,
    grants: new Map(),
    deleted: false,
    hooks: [],
  };
}

/** The rights everybody starts with: the owner's, and the service account's where members may read. */
export function addGrants({ cast }: Builder, repository: Repository): void {
  repository.grants.set(cast.admin.uuid, { person: cast.admin, right: 'admin' });
  if (repository.memberRight !== null) {
    repository.grants.set(cast.service.uuid, { person: cast.service, right: 'read' });
  }
}
