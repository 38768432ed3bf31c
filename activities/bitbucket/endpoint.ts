/** Words of Bitbucket's addresses that are no names of anybody's. */
const WORDS: ReadonlySet<string> = new Set(
  (
    'user users workspaces permission permissions projects repositories members pullrequests activity comments ' +
    'commits commit diff diffstat statuses refs branches tags issues changes hooks hook_events permissions-config tasks'
  ).split(' '),
);

/** How many names follow a word at its first place in an address. */
const NAMES_BEHIND: Record<string, number> = { repositories: 2, workspaces: 1, users: 1 };

const MOST_SEGMENTS = 8;

/**
 * The route that a path under the API base belongs to, e.g. `/repositories/{}/{}/pullrequests/{}/comments`: for labels,
 * which must be few and hold nobody's names.
 */
export function endpointOf(path: string): string {
  const segments = (path.split('?')[0] ?? '').split('/').filter((segment) => segment !== '');
  let names = segments[0] === 'user' ? 0 : (NAMES_BEHIND[segments[0] ?? ''] ?? 0);
  const shown = segments.slice(0, MOST_SEGMENTS).map((segment, index) => {
    if (index > 0 && names > 0) {
      names -= 1;
      return '{}';
    }
    return WORDS.has(segment) ? segment : '{}';
  });
  return `/${shown.join('/')}`;
}
