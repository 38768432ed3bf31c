import type { z } from '@hono/zod-openapi';
import type { ImportRow } from '../../db/queries/api/imports.ts';
import { isEndedImport } from '../../workflows/words.ts';
import type { link } from './shared.ts';

type Link = z.infer<typeof link>;

const HOW = {
  read: { method: 'GET', path: '', hint: 'How far it is.' },
  list_repositories: { method: 'GET', path: '/repositories', hint: 'The same per repository.' },
  read_completeness: { method: 'GET', path: '/completeness', hint: 'Whether everything is there.' },
  follow: { method: 'GET', path: '/events', hint: 'What happens, as server-sent events.' },
  pause: { method: 'POST', path: '/pause', hint: 'Wait at the checkpoints, until it is resumed.' },
  resume: { method: 'POST', path: '/resume', hint: 'Go on from the checkpoints.' },
  cancel: { method: 'POST', path: '/cancel', hint: 'End it at the checkpoints; what is stored stays.' },
  retry_failed: {
    method: 'POST',
    path: '/retry-failed',
    hint: 'Try the failed repositories again, in this import.',
  },
} as const satisfies Record<string, { method: Link['method']; path: string; hint: string }>;

type Step = keyof typeof HOW;

type Standing = Pick<ImportRow, 'id' | 'state' | 'failed' | 'pausedByPerson' | 'cancelRequested'>;

/** The commands that make sense as the import stands. */
function commandsFor({ state, failed, pausedByPerson, cancelRequested }: Standing): Step[] {
  if (cancelRequested || state === 'cancelled') return [];
  const retry: Step[] = failed > 0 ? ['retry_failed'] : [];
  return isEndedImport(state) ? retry : [pausedByPerson ? 'resume' : 'pause', 'cancel', ...retry];
}

/** What can be done next. */
export const importLinks = (row: Standing): Link[] =>
  (['read', 'list_repositories', 'read_completeness', 'follow', ...commandsFor(row)] satisfies Step[]).map(
    (action) => {
      const { method, path, hint } = HOW[action];
      return { action, method, href: `/v1/imports/${row.id}${path}`, hint };
    },
  );
