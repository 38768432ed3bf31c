import { basename, resolve } from 'node:path';
import { derivePullRequest } from './derivePullRequest.ts';
import type { Project, Repository } from './entities.ts';
import { adoptedColumns } from './gitColumns.ts';
import { type Builder, identity } from './makeRepository.ts';
import type { Person } from './people.ts';
import { createPullRequests, type PullRequests } from './pullRequests.ts';
import { parseMicros } from './time.ts';
import { createWorkspaces, HOST_START } from './workspaces.ts';

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

/** Serves a local git repository; its pull requests are derived from its merges. */
export async function adoptRepository(
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
  const pullRequests: PullRequests = createPullRequests(
    git.count,
    (number) => derivePullRequest(number, git.get(number), personOf),
    builder.revision,
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
