import { basename, resolve } from 'node:path';
import type { GitStore } from '../git/store.ts';
import { derivePullRequest } from './derivePullRequest.ts';
import type { Project, Repository, Workspace } from './entities.ts';
import { adoptedColumns, generatedColumns } from './gitColumns.ts';
import { generatePullRequest } from './generatePullRequest.ts';
import { type Cast, createCast, createContributors, historyPerson, type Person } from './people.ts';
import { planForGit, planPullRequest } from './pullRequestPlan.ts';
import { createPullRequests, type PullRequests } from './pullRequests.ts';
import { bracedUuid, mix, textSeed } from './random.ts';
import { createTickets } from './tickets.ts';
import { DAY, parseMicros } from './time.ts';
import type { RepositorySpec, WorldSpec } from './worldSpec.ts';

/** Everything the simulated host knows, apart from credentials. */
export interface World {
  seed: number;
  cast: Cast;
  contributors: Person[];
  workspaces: Workspace[];
  /** Deleted ones stay in the list, marked. */
  repositories: Repository[];
  /** The account of a commit's e-mail address, if it has one (facts 3.6). */
  personByEmail(email: string): Person | undefined;
  /** By uuid, account id or username. */
  person(key: string): Person | undefined;
}

const HOST_START = parseMicros('2021-02-03T08:00:00.123456Z') ?? 0;

function createWorkspaces(seed: number, spec: WorldSpec): Workspace[] {
  return spec.workspaces.map((entry, index) => {
    const workspace: Workspace = {
      uuid: bracedUuid(`${seed}/workspace/${entry.slug}`),
      slug: entry.slug,
      name: entry.name,
      isPrivate: entry.isPrivate ?? false,
      createdOn: HOST_START + index * DAY + index,
      projects: [],
      members: new Map(),
      hooks: [],
    };
    workspace.projects = entry.projects.map(
      (project, position): Project => ({
        uuid: bracedUuid(`${seed}/project/${entry.slug}/${project.key}`),
        key: project.key,
        name: project.name,
        description: `All about ${project.name}`,
        isPrivate: position % 2 === 0,
        createdOn: workspace.createdOn + (position + 1) * DAY,
        updatedOn: workspace.createdOn + (position + 40) * DAY + 55,
        workspace,
      }),
    );
    return workspace;
  });
}

function addMembers(workspaces: Workspace[], cast: Cast, contributors: readonly Person[]): void {
  for (const workspace of workspaces) {
    const add = (person: Person, right: 'owner' | 'create-project' | 'member') =>
      workspace.members.set(person.uuid, { person, right });
    add(cast.admin, 'owner');
    add(cast.service, 'member');
    add(cast.member, 'member');
    if (workspace === workspaces[0]) {
      add(cast.repositoryAdmin, 'create-project');
      for (const person of contributors.slice(0, 20)) if (person.type === 'user') add(person, 'member');
    }
  }
}

interface Builder {
  seed: number;
  git: GitStore;
  cast: Cast;
  contributors: Person[];
  workspaces: Workspace[];
  repositories: Repository[];
}

function findProject(builder: Builder, spec: RepositorySpec): Project {
  const workspace = builder.workspaces.find((entry) => entry.slug === spec.workspace);
  const project = workspace?.projects.find((entry) => entry.key === spec.project);
  if (project === undefined) {
    throw new Error(`repository ${spec.slug}: no project ${spec.workspace}/${spec.project} in the world`);
  }
  return project;
}

async function generateRepository(
  builder: Builder,
  spec: RepositorySpec,
  index: number,
): Promise<Repository> {
  const { seed, contributors } = builder;
  const project = findProject(builder, spec);
  const gitKey = `${spec.workspace}.${spec.slug}`;
  const own = mix(seed, textSeed(gitKey));
  const generated = await builder.git.generate({
    key: gitKey,
    seed: own,
    commits: spec.commits,
    branches: spec.branches ?? 2,
    tags: spec.tags ?? 0,
    authors: contributors.map((person) => ({ name: person.displayName, email: person.email })),
    pullRequests: planForGit(own, spec.pullRequests),
    odd: spec.oddGit ?? false,
  });
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
      people: contributors,
    });
  return {
    ...identity(builder, project, spec.slug, gitKey),
    name: spec.name ?? spec.slug,
    description: index % 3 === 0 ? '' : index % 3 === 1 ? null : `What ${spec.slug} does 🛠`,
    isPrivate: spec.isPrivate ?? true,
    language: index % 2 === 0 ? '' : 'typescript',
    updatedOn: last + 250_001,
    sizeBytes: generated.sizeBytes,
    mainBranch: generated.mainBranch,
    formerSlugs: spec.formerSlugs ?? [],
    memberRight: spec.ownersOnly === true ? null : 'read',
    trackerEnabled: spec.trackerDisabled !== true,
    pullRequests: createPullRequests(spec.pullRequests, (number) =>
      generatePullRequest({
        seed: own,
        number,
        total: spec.pullRequests,
        commentBase,
        git: git.get(number),
        contributors,
        ...(spec.activity === undefined ? {} : { mix: spec.activity }),
      }),
    ),
    tickets: freshTickets(),
    freshTickets,
    spec,
  };
}

function identity(builder: Builder, project: Project, slug: string, gitKey: string) {
  return {
    uuid: bracedUuid(`${builder.seed}/repository/${gitKey}`),
    gitKey,
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

function linkForks(builder: Builder): void {
  for (const repository of builder.repositories) {
    const origin = repository.spec?.forkOf;
    if (origin === undefined || origin === 'gone') continue;
    repository.parent =
      builder.repositories.find((entry) => `${entry.workspace.slug}/${entry.slug}` === origin) ?? null;
  }
}

function addGrants(builder: Builder): void {
  const { cast } = builder;
  for (const repository of builder.repositories) {
    repository.grants.set(cast.admin.uuid, { person: cast.admin, right: 'admin' });
    if (repository.memberRight !== null) {
      repository.grants.set(cast.service.uuid, { person: cast.service, right: 'read' });
    }
  }
  const own = builder.repositories[1] ?? builder.repositories[0];
  own?.grants.set(cast.repositoryAdmin.uuid, { person: cast.repositoryAdmin, right: 'admin' });
}

function slugOf(path: string, taken: (slug: string) => boolean): string {
  const plain =
    basename(resolve(path))
      .toLowerCase()
      .replace(/\.git$/, '')
      .replaceAll(/[^a-z0-9._-]+/g, '-') || 'repository';
  for (let suffix = 1; ; suffix += 1) {
    const slug = suffix === 1 ? plain : `${plain}-${suffix}`;
    if (!taken(slug)) return slug;
  }
}

function localProject(builder: Builder): Project {
  const known = builder.workspaces.find((entry) => entry.slug === 'local')?.projects[0];
  if (known !== undefined) return known;
  const [workspace] = createWorkspaces(builder.seed, {
    workspaces: [{ slug: 'local', name: 'Local repositories', projects: [{ key: 'LOCAL', name: 'Local' }] }],
    repositories: [],
  });
  const project = workspace?.projects[0];
  if (workspace === undefined || project === undefined) throw new Error('the local workspace has a project');
  builder.workspaces.push(workspace);
  return project;
}

async function adoptRepository(
  builder: Builder,
  path: string,
  personOf: (name: string, email: string) => Person,
): Promise<Repository> {
  const project = localProject(builder);
  const slug = slugOf(path, (candidate) =>
    builder.repositories.some((entry) => entry.workspace.slug === 'local' && entry.slug === candidate),
  );
  const gitKey = `local.${slug}`;
  const adopted = await builder.git.adopt({ key: gitKey, path });
  for (const entry of adopted.people) personOf(entry.name, entry.email);
  const git = adoptedColumns(adopted.pullRequests);
  const pullRequests: PullRequests = createPullRequests(git.count, (number) =>
    derivePullRequest(number, git.get(number), personOf),
  );
  return {
    ...identity(builder, project, slug, gitKey),
    name: slug,
    description: `Adopted from a local git repository`,
    isPrivate: true,
    language: '',
    updatedOn: parseMicros(adopted.lastCommitDate ?? '') ?? HOST_START,
    sizeBytes: adopted.sizeBytes,
    mainBranch: adopted.mainBranch,
    formerSlugs: [],
    memberRight: 'read',
    trackerEnabled: true,
    pullRequests,
    tickets: new Map(),
    freshTickets: () => new Map(),
  };
}

/** Builds the whole host from its seed, git repositories included; the same input gives the same host. */
export async function createWorld(input: {
  seed: number;
  spec: WorldSpec;
  /** Local git repositories to serve as well. */
  repositories: readonly string[];
  git: GitStore;
}): Promise<World> {
  const { seed, spec } = input;
  const cast = createCast(seed);
  const contributors = createContributors(seed, spec.contributors ?? 40);
  const byEmail = new Map<string, Person>();
  for (const person of [...Object.values<Person>({ ...cast }), ...contributors]) {
    if (person.type === 'user') byEmail.set(person.email, person);
  }
  const builder: Builder = {
    seed,
    git: input.git,
    cast,
    contributors,
    workspaces: createWorkspaces(seed, spec),
    repositories: [],
  };
  for (const [index, entry] of spec.repositories.entries()) {
    builder.repositories.push(await generateRepository(builder, entry, index));
  }
  const personOf = (name: string, email: string): Person => {
    const known = byEmail.get(email);
    if (known !== undefined) return known;
    const made = historyPerson(seed, name, email);
    byEmail.set(email, made);
    return made;
  };
  for (const path of input.repositories) {
    builder.repositories.push(await adoptRepository(builder, path, personOf));
  }
  linkForks(builder);
  addMembers(builder.workspaces, cast, contributors);
  addGrants(builder);
  return {
    seed,
    cast,
    contributors,
    workspaces: builder.workspaces,
    repositories: builder.repositories,
    personByEmail: (email) => byEmail.get(email),
    person(key) {
      for (const person of [...byEmail.values(), ...contributors]) {
        if (person.uuid === key || person.accountId === key || person.username === key) return person;
      }
      return undefined;
    },
  };
}
