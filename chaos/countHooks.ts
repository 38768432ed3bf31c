/** What the source's changes are told with (chaos/source.ts; simulator/README.md, mutations). */
const TOLD_WITH = [
  'repo:push',
  'repo:updated',
  'pullrequest:created',
  'pullrequest:updated',
  'pullrequest:push',
  'pullrequest:approved',
  'pullrequest:changes_request_created',
  'pullrequest:fulfilled',
  'pullrequest:rejected',
  'pullrequest:comment_created',
  'pullrequest:comment_updated',
  'pullrequest:comment_deleted',
  'pullrequest:comment_resolved',
  'pullrequest:comment_reopened',
];

/** A hook as the simulator lists it. */
export interface HostHook {
  uuid: string;
  workspace: string;
  /** its full name; null: the hook is the workspace's */
  repository: string | null;
  active: boolean;
  events: readonly string[];
}

export interface HookCount {
  /** at the source, of whatever */
  hooks: number;
  /** imported repositories that no hook tells everything of, neither their own nor their workspace's */
  missing: number;
  /** hooks that tell once more what another one tells */
  doubled: number;
}

export const isExactlyHooked = ({ hooks, missing, doubled }: HookCount): boolean =>
  hooks > 0 && missing + doubled === 0;

export const describeHooks = ({ hooks, missing, doubled }: HookCount): string =>
  `hooks=${hooks} missing=${missing} doubled=${doubled}`;

const covers = ({ workspace, repository }: HostHook, name: string): boolean =>
  repository === null ? name.startsWith(`${workspace}/`) : repository === name;

/**
 * Whether each repository is told of by exactly one hook. Goes by what stands at the source alone, whatever the engine says
 * of it. `repositories`: full names of those that are imported.
 */
export function countHooks(hooks: readonly HostHook[], repositories: readonly string[]): HookCount {
  const tells = ({ active, events }: HostHook): boolean =>
    active && TOLD_WITH.every((event) => events.includes(event));
  const ofWorkspace = new Set(
    hooks.filter(({ repository }) => repository === null).map(({ workspace }) => workspace),
  );
  const missing = repositories.filter((name) => !hooks.some((hook) => tells(hook) && covers(hook, name)));
  const seen = new Set<string>();
  const doubled = hooks.filter(({ workspace, repository }) => {
    const place = repository ?? workspace;
    const again = seen.has(place) || (repository !== null && ofWorkspace.has(workspace));
    seen.add(place);
    return again;
  });
  return { hooks: hooks.length, missing: missing.length, doubled: doubled.length };
}
