import type { GitStore } from '../git/store.ts';
import { adoptRepository } from './adoptedRepository.ts';
import type { Repository, Workspace } from './entities.ts';
import { addGrants, type Builder, generateRepository } from './makeRepository.ts';
import { type Cast, createCast, createContributors, historyPerson, type Person } from './people.ts';
import type { Revision } from './pullRequests.ts';
import { addMembers, createWorkspaces } from './workspaces.ts';
import type { RepositorySpec, WorldSpec } from './worldSpec.ts';

/** Everything the simulated host knows, apart from credentials. */
export interface World {
  seed: number;
  cast: Cast;
  contributors: Person[];
  workspaces: Workspace[];
  /** Deleted ones stay in the list, marked. */
  repositories: Repository[];
  /** Moves when pull requests come or go anywhere. */
  revision: Readonly<Revision>;
  /** Adds one while the host runs. */
  createRepository(spec: RepositorySpec): Promise<Repository>;
  /** The account of a commit's e-mail address, if it has one (facts 3.6). */
  personByEmail(email: string): Person | undefined;
  /** By uuid, account id or username. */
  person(key: string): Person | undefined;
}

function linkForks(builder: Builder): void {
  for (const repository of builder.repositories) {
    const origin = repository.spec?.forkOf;
    if (origin === undefined || origin === 'gone') continue;
    repository.parent =
      builder.repositories.find((entry) => `${entry.workspace.slug}/${entry.slug}` === origin) ?? null;
  }
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
    shared: new Map(),
    keys: new Set(),
    revision: { count: 0 },
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
  addMembers(builder.workspaces, cast, contributors, spec.members ?? 20);
  for (const repository of builder.repositories) addGrants(builder, repository);
  const own = builder.repositories[1] ?? builder.repositories[0];
  own?.grants.set(cast.repositoryAdmin.uuid, { person: cast.repositoryAdmin, right: 'admin' });
  return {
    seed,
    cast,
    contributors,
    workspaces: builder.workspaces,
    repositories: builder.repositories,
    revision: builder.revision,
    async createRepository(made) {
      const repository = await generateRepository(builder, made, builder.repositories.length);
      addGrants(builder, repository);
      builder.repositories.push(repository);
      builder.revision.count += 1;
      return repository;
    },
    personByEmail: (email) => byEmail.get(email),
    person(key) {
      for (const person of [...byEmail.values(), ...contributors]) {
        if (person.uuid === key || person.accountId === key || person.username === key) return person;
      }
      return undefined;
    },
  };
}
