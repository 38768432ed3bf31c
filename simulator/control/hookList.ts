import { fullName, type Hook } from '../model/entities.ts';
import type { Host } from '../rest/host.ts';

/** A webhook with its owner, secret included. */
export interface ListedHook {
  uuid: string;
  /** `workspace/slug` of the repository, or null for a hook of the workspace. */
  repository: string | null;
  workspace: string;
  url: string;
  description: string;
  active: boolean;
  events: string[];
  secret: string | null;
}

/** Every hook of the host that some list of it shows. */
export function listHooks({ world }: Host): ListedHook[] {
  const listed = (hook: Hook, workspace: string, repository: string | null): ListedHook => {
    const { uuid, url, description, active, events, secret } = hook;
    return { uuid, repository, workspace, url, description, active, events, secret };
  };
  return [
    ...world.workspaces.flatMap(({ hooks, slug }) => hooks.map((hook) => listed(hook, slug, null))),
    ...world.repositories
      .filter((repository) => !repository.deleted)
      .flatMap((repository) =>
        repository.hooks.map((hook) => listed(hook, repository.workspace.slug, fullName(repository))),
      ),
  ];
}
