import { randomUUID } from 'node:crypto';
import { administersWorkspace } from '../auth/access.ts';
import { expandScopes, NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { badLogin, errorReply, forbidden, missingScopes, notFound, refuse } from '../http/errors.ts';
import { pageOf } from '../http/paging.ts';
import { emptyReply, jsonReply } from '../http/reply.ts';
import type { Hook, Repository, Workspace } from '../model/entities.ts';
import { fullName } from '../model/entities.ts';
import { formatMicros } from '../model/time.ts';
import { hookEvents, type HookSubject, scopeOfEvent } from './hookEvents.ts';
import type { Host } from './host.ts';
import type { Json } from './json.ts';
import { repositoryWith, workspaceOf } from './resolve.ts';

const RULE = { fallback: 10, max: 100 } as const;

/** Whose hooks a request is about. */
interface Owner {
  subject: HookSubject;
  hooks: Hook[];
  path: string;
  json: Json;
}

const invalid = (fields: Record<string, string[]>) => errorReply(400, { message: 'Bad request', fields });

function readBody(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value));
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return refuse(errorReply(400, { message: 'Bad request' }));
}

export function createHookRoutes(host: Host): Route[] {
  function render(owner: Owner, hook: Hook): Json {
    const self = `${host.urls.api}${owner.path}/hooks/${encodeURIComponent(hook.uuid)}`;
    const head = JSON.stringify({
      type: 'webhook_subscription',
      uuid: hook.uuid,
      url: hook.url,
      description: hook.description,
      subject_type: owner.subject,
      active: hook.active,
      events: hook.events,
      created_at: formatMicros(hook.createdAt).replace('+00:00', 'Z'),
      // The secret itself is never returned (facts 5.1).
      secret_set: hook.secret !== null,
      skip_cert_verification: false,
      read_only: false,
      source: null,
      history_enabled: false,
      links: { self: { href: self } },
    });
    return `${head.slice(0, -1)},"subject":${owner.json}}`;
  }

  const repositoryOwner = (repository: Repository): Owner => ({
    subject: 'repository',
    hooks: repository.hooks,
    path: `/repositories/${fullName(repository)}`,
    json: host.repositories.short(repository),
  });
  const workspaceOwner = (workspace: Workspace): Owner => ({
    subject: 'workspace',
    hooks: workspace.hooks,
    path: `/workspaces/${workspace.slug}`,
    json: host.repositories.workspace(workspace),
  });

  function checked(call: Call, owner: Owner, body: Record<string, unknown>, old: Hook | undefined): Hook {
    const url = body.url ?? old?.url;
    if (typeof url !== 'string' || !URL.canParse(url) || !/^https?:/.test(url)) {
      return refuse(invalid({ url: ['Enter a valid URL.'] }));
    }
    const events: unknown = body.events ?? old?.events;
    const known = hookEvents(owner.subject, host);
    if (!Array.isArray(events) || events.length === 0) {
      return refuse(invalid({ events: ['required key not provided'] }));
    }
    const keys = events.map(String);
    const unknown = keys.filter((event) => !known.includes(event));
    if (unknown.length > 0) return refuse(invalid({ events: [`Invalid event: ${unknown.join(', ')}`] }));
    // API tokens have no scopes for events; the others need one for each (facts 1.2).
    if (call.actor !== null && call.actor.kind !== 'api_token') {
      const held = expandScopes(call.actor.scopes);
      const required = [...new Set(keys.map(scopeOfEvent))];
      if (!required.every((scope) => held.has(scope))) refuse(missingScopes(call.actor.scopes, required));
    }
    const secret = 'secret' in body ? body.secret : (old?.secret ?? null);
    return {
      uuid: old?.uuid ?? `{${randomUUID()}}`,
      url,
      description: typeof body.description === 'string' ? body.description : (old?.description ?? ''),
      active: Boolean(body.active ?? old?.active ?? true),
      events: known.filter((event) => keys.includes(event)),
      secret: typeof secret === 'string' && secret !== '' ? secret : null,
      createdAt: old?.createdAt ?? host.clock.nowMs() * 1000,
    };
  }

  function routesFor(base: string, ownerOf: (call: Call) => Owner): Route[] {
    const group = 'webhook' as const;
    const hookOf = (owner: Owner, call: Call): Hook => {
      const uid = call.params.uid ?? '';
      const bare = uid.replaceAll(/[{}]/g, '');
      const hook = owner.hooks.find((entry) => entry.uuid === `{${bare}}`);
      return hook ?? refuse(notFound(`${uid} is not a valid hook`));
    };
    return [
      {
        method: 'GET',
        path: `${base}/hooks`,
        needs: NEEDS.hookRead,
        group,
        handle(call) {
          const owner = ownerOf(call);
          return jsonReply(
            pageOf({ base: call.base, query: call.query, rule: RULE }, owner.hooks, (hook) =>
              render(owner, hook),
            ),
          );
        },
      },
      {
        method: 'POST',
        path: `${base}/hooks`,
        needs: NEEDS.hookWrite,
        group,
        async handle(call) {
          const owner = ownerOf(call);
          const hook = checked(call, owner, readBody(await call.body()), undefined);
          owner.hooks.push(hook);
          const location = `${host.urls.api}${owner.path}/hooks/${encodeURIComponent(hook.uuid)}`;
          return jsonReply(render(owner, hook), 201, { location });
        },
      },
      {
        method: 'GET',
        path: `${base}/hooks/:uid`,
        needs: NEEDS.hookRead,
        group,
        handle(call) {
          const owner = ownerOf(call);
          return jsonReply(render(owner, hookOf(owner, call)));
        },
      },
      {
        method: 'PUT',
        path: `${base}/hooks/:uid`,
        needs: NEEDS.hookWrite,
        group,
        async handle(call) {
          const owner = ownerOf(call);
          const hook = hookOf(owner, call);
          Object.assign(hook, checked(call, owner, readBody(await call.body()), hook));
          return jsonReply(render(owner, hook));
        },
      },
      {
        method: 'DELETE',
        path: `${base}/hooks/:uid`,
        needs: NEEDS.hookDelete,
        group,
        handle(call) {
          const owner = ownerOf(call);
          owner.hooks.splice(owner.hooks.indexOf(hookOf(owner, call)), 1);
          return emptyReply(204);
        },
      },
    ];
  }

  return [
    ...routesFor('/repositories/:workspace/:repository', (call) => {
      if (call.actor === null) refuse(badLogin());
      return repositoryOwner(repositoryWith(host, call, 'admin'));
    }),
    ...routesFor('/workspaces/:workspace', (call) => {
      if (call.actor === null) refuse(badLogin());
      const workspace = workspaceOf(host, call);
      if (!administersWorkspace(call.actor, workspace)) refuse(forbidden());
      return workspaceOwner(workspace);
    }),
    {
      method: 'GET',
      path: '/hook_events',
      needs: NEEDS.nothing,
      group: 'webhook',
      handle: () =>
        jsonReply(
          JSON.stringify({
            workspace: { links: { events: { href: `${host.urls.api}/hook_events/workspace` } } },
            repository: { links: { events: { href: `${host.urls.api}/hook_events/repository` } } },
          }),
        ),
    },
    {
      method: 'GET',
      path: '/hook_events/:subject',
      needs: NEEDS.nothing,
      group: 'webhook',
      handle(call) {
        const { subject } = call.params;
        if (subject !== 'repository' && subject !== 'workspace') {
          return refuse(notFound(`Invalid subject type: ${subject}`));
        }
        return jsonReply(
          pageOf(
            { base: call.base, query: call.query, rule: { fallback: 30, max: 100 } },
            hookEvents(subject, host),
            (event) => {
              const [category = '', label = ''] = event.split(':');
              return JSON.stringify({ event, category, label, description: `Whenever ${label} happens` });
            },
          ),
        );
      },
    },
  ];
}
