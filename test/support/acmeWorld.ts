import type { RepositorySpec, WorldSpec } from '../../simulator/model/worldSpec.ts';

/** What a repository of `acme` holds; its place is given. */
export type AcmeRepository = Omit<RepositorySpec, 'workspace' | 'project'>;

/** A world of one workspace and one project, with these repositories: `acme/<slug>`. */
export const acmeWorld = (repositories: readonly AcmeRepository[]): WorldSpec => ({
  workspaces: [{ slug: 'acme', name: 'Acme', projects: [{ key: 'ENG', name: 'Engineering' }] }],
  repositories: repositories.map((repository) => ({ workspace: 'acme', project: 'ENG', ...repository })),
});
