import { v7 } from 'uuid';
import type { ProjectRow, RepositoryRow, WorkspaceRow } from '../../db/queries/discovery.ts';
import { escapeJson, escapeText } from '../../db/text.ts';
import type { Project, Repository, Workspace } from '../bitbucket/schemas.ts';

/** Bitbucket's records as rows. Each gets an id for the case that it is new. */

const text = (value: string | null): string | null => (value === null ? null : escapeText(value));

export const workspaceRow = (
  workspace: Pick<Workspace, 'uuid' | 'slug'> & Partial<Workspace>,
  observedAt: string,
): WorkspaceRow => ({
  id: v7(),
  provider_uuid: workspace.uuid,
  slug: escapeText(workspace.slug),
  name: text(workspace.name ?? null),
  is_private: workspace.is_private ?? null,
  created_on: workspace.created_on ?? null,
  observed_at: observedAt,
});

export const projectRow = (
  project: Pick<Project, 'uuid' | 'key'> & Partial<Project>,
  workspaceUuid: string,
  observedAt: string,
): ProjectRow => ({
  id: v7(),
  provider_uuid: project.uuid,
  workspace_uuid: workspaceUuid,
  key: escapeText(project.key),
  name: text(project.name ?? null),
  description: text(project.description ?? null),
  is_private: project.is_private ?? null,
  created_on: project.created_on ?? null,
  updated_on: project.updated_on ?? null,
  observed_at: observedAt,
});

/** A repository with the workspace and project that its record carries: a credential may see no other list of them. */
export interface RepositoryRows {
  repository: RepositoryRow;
  workspace: WorkspaceRow | null;
  project: ProjectRow | null;
}

/** `workspaceUuid`: of the list it stood in, where its record names no workspace. null: it belongs nowhere. */
export function repositoryRows(
  value: Repository,
  raw: unknown,
  observedAt: string,
  workspaceUuid: string | null,
): RepositoryRows | null {
  const [workspaceSlug = '', repositorySlug = ''] = value.full_name.split('/');
  const owner = value.workspace?.uuid ?? workspaceUuid;
  if (owner === null) return null;
  const { project } = value;
  return {
    workspace:
      value.workspace === null
        ? null
        : workspaceRow(
            { uuid: owner, slug: value.workspace.slug ?? workspaceSlug, name: value.workspace.name },
            observedAt,
          ),
    project:
      project === null
        ? null
        : projectRow({ ...project, key: project.key ?? project.uuid }, owner, observedAt),
    repository: {
      id: v7(),
      provider_uuid: value.uuid,
      workspace_uuid: owner,
      project_uuid: project?.uuid ?? null,
      slug: escapeText(value.slug ?? repositorySlug),
      name: escapeText(value.name ?? repositorySlug),
      full_name: escapeText(value.full_name),
      description: text(value.description),
      is_private: value.is_private,
      language: text(value.language),
      main_branch: text(value.mainbranch?.name ?? null),
      size_bytes: value.size,
      parent_uuid: value.parent?.uuid ?? null,
      has_issues: value.has_issues,
      created_on: value.created_on,
      updated_on: value.updated_on,
      raw: escapeJson(withoutViewer(raw)),
      observed_at: observedAt,
    },
  };
}

/**
 * The clone link carries the name of the account that asked (facts 1.7): without this, two integrations would write
 * the same row in turns, and each would show the other's account.
 */
function withoutViewer(raw: unknown): unknown {
  if (!isRecord(raw) || !isRecord(raw['links']) || !Array.isArray(raw['links']['clone'])) return raw;
  const clone = raw['links']['clone'].map((link: unknown) =>
    isRecord(link) && typeof link['href'] === 'string'
      ? { ...link, href: link['href'].replace(/^(https?:\/\/)[^/@]*@/, '$1') }
      : link,
  );
  return { ...raw, links: { ...raw['links'], clone } };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One row a key, the last one wins: a list that moved while it was read may show a record twice. */
export const uniqueByUuid = <T extends { provider_uuid: string }>(rows: readonly T[]): T[] => [
  ...new Map(rows.map((row) => [row.provider_uuid, row])).values(),
];
