import type { Person } from './people.ts';
import type { PullRequests } from './pullRequests.ts';
import type { Micros } from './time.ts';
import type { Tickets } from './tickets.ts';
import type { RepositorySpec } from './worldSpec.ts';

export type RepositoryRight = 'read' | 'write' | 'admin';
export type WorkspaceRight = 'owner' | 'create-project' | 'member';

export interface Hook {
  uuid: string;
  url: string;
  description: string;
  active: boolean;
  events: string[];
  secret: string | null;
  createdAt: Micros;
}

export interface Project {
  uuid: string;
  key: string;
  name: string;
  description: string;
  isPrivate: boolean;
  createdOn: Micros;
  updatedOn: Micros;
  workspace: Workspace;
}

export interface Workspace {
  uuid: string;
  slug: string;
  name: string;
  isPrivate: boolean;
  createdOn: Micros;
  projects: Project[];
  /** By person uuid. */
  members: Map<string, { person: Person; right: WorkspaceRight }>;
  hooks: Hook[];
}

export interface Repository {
  uuid: string;
  /** Its name in the git store. */
  gitKey: string;
  /** Others have the same git side, so it gets a copy of its own before it is changed. */
  sharesGit: boolean;
  workspace: Workspace;
  project: Project;
  slug: string;
  name: string;
  description: string | null;
  isPrivate: boolean;
  language: string;
  createdOn: Micros;
  updatedOn: Micros;
  sizeBytes: number;
  mainBranch: string | null;
  formerSlugs: string[];
  parent: Repository | null;
  /** Explicit grants by person uuid. */
  grants: Map<string, { person: Person; right: RepositoryRight }>;
  /** What every member of the workspace may, by the default group; null for nothing. */
  memberRight: RepositoryRight | null;
  trackerEnabled: boolean;
  deleted: boolean;
  hooks: Hook[];
  pullRequests: PullRequests;
  tickets: Tickets;
  /** The tickets as the seed made them. */
  freshTickets(): Tickets;
  /** Absent for an adopted repository. */
  spec?: RepositorySpec;
}

export function fullName(repository: Repository): string {
  return `${repository.workspace.slug}/${repository.slug}`;
}
