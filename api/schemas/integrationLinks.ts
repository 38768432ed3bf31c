import type { z } from '@hono/zod-openapi';
import type { IntegrationState } from '../../workflows/words.ts';
import type { link } from './shared.ts';

type Link = z.infer<typeof link>;

/** What can be done next, by state and in the order of the connect guide. */
const STEPS = {
  awaiting_credential: ['read', 'start_oauth', 'submit_credential', 'read_connection_check', 'delete_draft'],
  checking: ['read', 'read_connection_check', 'delete_draft'],
  connected: ['read', 'create', 'read_connection_check', 'submit_credential', 'delete_draft'],
  active: [
    'read',
    'list_repositories',
    'import',
    'list_imports',
    'read_health',
    'sync',
    'discover',
    'register_webhooks',
    'list_webhooks',
    'read_auto_import',
    'update',
    'pause',
    'delete',
  ],
  paused: ['read', 'resume', 'read_health', 'update', 'list_imports', 'submit_credential', 'delete'],
  needs_credential: [
    'read',
    'submit_credential',
    'start_oauth',
    'read_connection_check',
    'read_health',
    'delete',
  ],
  disconnecting: ['read'],
} as const satisfies Record<IntegrationState, readonly string[]>;

type Step = (typeof STEPS)[IntegrationState][number];

const HOW: Record<Step, { method: Link['method']; path: string; hint: string }> = {
  read: { method: 'GET', path: '', hint: 'How it stands now.' },
  start_oauth: {
    method: 'POST',
    path: '/oauth',
    hint: 'Connect in the browser: answers the address to send the person to.',
  },
  submit_credential: {
    method: 'PUT',
    path: '/credential',
    hint: 'Submit a credential; it is checked at once.',
  },
  read_connection_check: {
    method: 'GET',
    path: '/connection-check',
    hint: 'The report of the last check, with a remedy for each finding.',
  },
  delete_draft: { method: 'DELETE', path: '', hint: 'Give this draft up.' },
  delete: {
    method: 'DELETE',
    path: '',
    hint: 'Remove it with all of its data; send its name as `confirm`.',
  },
  create: { method: 'POST', path: '/create', hint: 'Give it a name and choose its services.' },
  list_repositories: { method: 'GET', path: '/repositories', hint: 'What it can see.' },
  import: { method: 'POST', path: '/imports', hint: 'Choose repositories and import them.' },
  list_imports: { method: 'GET', path: '/imports', hint: 'Imports so far.' },
  sync: { method: 'POST', path: '/sync', hint: 'Bring everything imported up to date now.' },
  discover: { method: 'POST', path: '/discover', hint: 'Look again what is there.' },
  register_webhooks: {
    method: 'PUT',
    path: '/webhooks',
    hint: 'Have changes arrive at once, where the account administers workspace or repositories.',
  },
  list_webhooks: { method: 'GET', path: '/webhooks', hint: 'How changes arrive: by webhook or by polling.' },
  read_health: {
    method: 'GET',
    path: '/health',
    hint: 'How it fares, and each repository that is not healthy.',
  },
  read_auto_import: {
    method: 'GET',
    path: '/auto-import',
    hint: 'Which repositories are imported by themselves; change the rules with PUT, and preview them before.',
  },
  update: { method: 'PATCH', path: '', hint: 'Rename it, switch services on and off, or leave owners out.' },
  pause: { method: 'POST', path: '/pause', hint: 'Fetch nothing until it is resumed.' },
  resume: { method: 'POST', path: '/resume', hint: 'Go on from the checkpoints.' },
};

export const integrationLinks = ({ id, state }: { id: string; state: IntegrationState }): Link[] =>
  STEPS[state].map((action) => {
    const { method, path, hint } = HOW[action];
    return { action, method, href: `/v1/integrations/${id}${path}`, hint };
  });
