/** Where an access token begins, since it cannot list workspaces (facts 1.4). */
export interface TokenTarget {
  workspace: string;
  /** key, for a project's token */
  project?: string;
  /** slug, for a repository's token */
  repository?: string;
}

/** Reads the fields stored with an access token; undefined when the workspace is missing. */
export function tokenTarget(fields: Readonly<Record<string, string>>): TokenTarget | undefined {
  const { workspace, project, repository } = fields;
  if (workspace === undefined || workspace === '') return undefined;
  return {
    workspace,
    ...(project === undefined || project === '' ? {} : { project }),
    ...(repository === undefined || repository === '' ? {} : { repository }),
  };
}

/** One path segment, or one part of a query. */
export const segment = (text: string): string => encodeURIComponent(text);

/** The list of the repositories that the token covers; a repository's token: that one. */
export function repositoriesPath(target: TokenTarget, query: string): string {
  const workspace = segment(target.workspace);
  if (target.repository !== undefined) return `/repositories/${workspace}/${segment(target.repository)}`;
  const filter =
    target.project === undefined ? '' : `&q=${segment(`project.key=${JSON.stringify(target.project)}`)}`;
  return `/repositories/${workspace}?${query}${filter}`;
}
