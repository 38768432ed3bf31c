import { fullName, type Project, type Repository, type Workspace } from '../model/entities.ts';
import { formatMicros } from '../model/time.ts';
import { createFragments, inUrl, type Json, quote } from './json.ts';
import type { Urls } from './urls.ts';

export interface RenderRepository {
  workspace(workspace: Workspace): Json;
  /** Without a name: what `/user/workspaces` shows (facts 3.4). */
  workspaceBase(workspace: Workspace): Json;
  project(project: Project): Json;
  /** As inside pull requests and commits. */
  short(repository: Repository): Json;
  /** As webhooks show it (facts 5.4): without slug, sizes and moments. */
  event(repository: Repository): Json;
  /** `username`: whose name stands in the clone link, null for anonymous (facts 1.7). */
  full(repository: Repository, username: string | null): Json;
  /** After a rename. */
  forget(repository: Repository): void;
}

/** `era`: before the removal of trackers repositories still had `has_issues`, `has_wiki` and `links.issues` (facts 2). */
export function createRenderRepository(urls: Urls, era: 'guide' | 'today'): RenderRepository {
  const href = (url: string): Json => `{"href":${quote(url)}}`;

  function workspaceLinks(workspace: Workspace): Json {
    const self = `${urls.api}/workspaces/${workspace.slug}`;
    return `{"avatar":${href(`${urls.web}/workspaces/${workspace.slug}/avatar/?ts=1543733398`)},"hooks":${href(`${self}/hooks`)},"html":${href(`${urls.web}/${workspace.slug}/`)},"html_overview":${href(`${urls.web}/${workspace.slug}/workspace/overview/`)},"members":${href(`${self}/members`)},"owners":${href(`${self}/members?q=permission%3D%22owner%22`)},"projects":${href(`${self}/projects`)},"repositories":${href(`${urls.api}/repositories/${workspace.slug}`)},"snippets":${href(`${urls.api}/snippets/${workspace.slug}`)},"self":${href(self)}}`;
  }

  const owner = createFragments(
    (workspace: Workspace): Json =>
      `{"display_name":${quote(workspace.name)},"links":{"self":${href(`${urls.api}/workspaces/${inUrl(workspace.uuid)}`)},"avatar":${href(`${urls.web}/account/${workspace.slug}/avatar/`)},"html":${href(`${urls.web}/${inUrl(workspace.uuid)}/`)}},"type":"team","uuid":${quote(workspace.uuid)},"username":${quote(workspace.slug)}}`,
  );
  const workspaceShort = createFragments(
    (workspace: Workspace): Json =>
      `{"type":"workspace","uuid":${quote(workspace.uuid)},"name":${quote(workspace.name)},"slug":${quote(workspace.slug)},"links":{"avatar":${href(`${urls.web}/workspaces/${workspace.slug}/avatar/?ts=1791398183`)},"html":${href(`${urls.web}/${workspace.slug}/`)},"self":${href(`${urls.api}/workspaces/${workspace.slug}`)}}}`,
  );
  const projectLinks = (project: Project): Json =>
    `{"self":${href(`${urls.api}/workspaces/${project.workspace.slug}/projects/${project.key}`)},"html":${href(`${urls.web}/${project.workspace.slug}/workspace/projects/${project.key}`)},"avatar":${href(`${urls.web}/${project.workspace.slug}/workspace/projects/${project.key}/avatar/32?ts=1791398116`)}}`;

  const short = createFragments((repository: Repository): Json => {
    const full = fullName(repository);
    return `{"type":"repository","full_name":${quote(full)},"links":{"self":${href(`${urls.api}/repositories/${full}`)},"html":${href(`${urls.web}/${full}`)},"avatar":${href(`${urls.web}/ravatar/${inUrl(repository.uuid)}?ts=default`)}},"name":${quote(repository.name)},"uuid":${quote(repository.uuid)}}`;
  });

  function repositoryLinks(repository: Repository, username: string | null): Json {
    const full = fullName(repository);
    const self = `${urls.api}/repositories/${full}`;
    const clone = new URL(`${urls.web}/${full}.git`);
    if (username !== null) clone.username = username;
    const issues = era === 'guide' && repository.trackerEnabled ? `"issues":${href(`${self}/issues`)},` : '';
    return `{"self":${href(self)},"html":${href(`${urls.web}/${full}`)},"avatar":${href(`${urls.web}/ravatar/${inUrl(repository.uuid)}?ts=default`)},"pullrequests":${href(`${self}/pullrequests`)},"commits":${href(`${self}/commits`)},"forks":${href(`${self}/forks`)},"watchers":${href(`${self}/watchers`)},"branches":${href(`${self}/refs/branches`)},"tags":${href(`${self}/refs/tags`)},"downloads":${href(`${self}/downloads`)},"source":${href(`${self}/src`)},${issues}"clone":[{"name":"https","href":${quote(clone.href)}},{"name":"ssh","href":${quote(`git@${clone.hostname}:${full}.git`)}}],"hooks":${href(`${self}/hooks`)}}`;
  }

  return {
    workspace: (workspace) =>
      `{"type":"workspace","uuid":${quote(workspace.uuid)},"name":${quote(workspace.name)},"slug":${quote(workspace.slug)},"is_private":${workspace.isPrivate},"is_privacy_enforced":false,"forking_mode":"allow_forks","created_on":"${formatMicros(workspace.createdOn)}","links":${workspaceLinks(workspace)}}`,
    workspaceBase: (workspace) =>
      `{"type":"workspace_base","uuid":${quote(workspace.uuid)},"slug":${quote(workspace.slug)},"links":{"avatar":${href(`${urls.web}/workspaces/${workspace.slug}/avatar/`)},"self":${href(`${urls.api}/workspaces/${workspace.slug}`)}}}`,
    project: (project) =>
      `{"type":"project","key":${quote(project.key)},"uuid":${quote(project.uuid)},"name":${quote(project.name)},"description":${quote(project.description)},"is_private":${project.isPrivate},"owner":${owner.get(project.workspace)},"workspace":${workspaceShort.get(project.workspace)},"created_on":"${formatMicros(project.createdOn)}","updated_on":"${formatMicros(project.updatedOn)}","has_publicly_visible_repos":${!project.isPrivate},"links":${projectLinks(project)}}`,
    short: (repository) => short.get(repository),
    full(repository, username) {
      const { project } = repository;
      const tracker = era === 'guide' ? `"has_issues":${repository.trackerEnabled},"has_wiki":false,` : '';
      const main =
        repository.mainBranch === null ? 'null' : `{"name":${quote(repository.mainBranch)},"type":"branch"}`;
      return `{"type":"repository","full_name":${quote(fullName(repository))},"links":${repositoryLinks(repository, username)},"name":${quote(repository.name)},"slug":${quote(repository.slug)},"description":${quote(repository.description)},"scm":"git","website":null,"owner":${owner.get(repository.workspace)},"workspace":${workspaceShort.get(repository.workspace)},"is_private":${repository.isPrivate},"project":{"type":"project","key":${quote(project.key)},"uuid":${quote(project.uuid)},"name":${quote(project.name)},"links":${projectLinks(project)}},"fork_policy":"allow_forks","created_on":"${formatMicros(repository.createdOn)}","updated_on":"${formatMicros(repository.updatedOn)}","size":${repository.sizeBytes},"language":${quote(repository.language)},${tracker}"uuid":${quote(repository.uuid)},"mainbranch":${main},"override_settings":{"default_merge_strategy":true,"branching_model":true},"parent":${repository.parent === null ? 'null' : short.get(repository.parent)},"enforced_signed_commits":null}`;
    },
    event(repository) {
      const { project } = repository;
      const parent = repository.parent === null ? 'null' : short.get(repository.parent);
      return `${short.get(repository).slice(0, -1)},"scm":"git","website":null,"owner":${owner.get(repository.workspace)},"workspace":${workspaceShort.get(repository.workspace)},"is_private":${repository.isPrivate},"project":{"type":"project","key":${quote(project.key)},"uuid":${quote(project.uuid)},"name":${quote(project.name)},"links":${projectLinks(project)}},"parent":${parent}}`;
    },
    forget: (repository) => short.forget(repository),
  };
}
