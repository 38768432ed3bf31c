import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Hook } from '../model/entities.ts';
import { hookEvents } from '../rest/hookEvents.ts';
import type { Host } from '../rest/host.ts';
import { repositoryFor, workspaceFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError } from './mutation.ts';

const settings = {
  url: z.url(),
  events: z.array(z.string()).min(1),
  secret: z.string().nullable(),
  active: z.boolean(),
  description: z.string(),
};

/** Webhooks as their owner changes them at the host, without the API. */
export function hookMutations(host: Host): Record<string, Mutation> {
  function place(uuid: string): { hooks: Hook[]; hook: Hook } {
    const lists = [...host.world.workspaces, ...host.world.repositories].map(({ hooks }) => hooks);
    for (const hooks of lists) {
      const hook = hooks.find((entry) => entry.uuid === uuid);
      if (hook !== undefined) return { hooks, hook };
    }
    throw new MutationError(`no webhook ${uuid}`);
  }

  return {
    'hook.create': mutation(
      z.strictObject({
        /** of this repository, or of this workspace */
        repository: z.string().optional(),
        workspace: z.string().optional(),
        url: settings.url,
        /** default: all there are */
        events: settings.events.optional(),
        secret: settings.secret.default(null),
        active: settings.active.default(true),
        description: settings.description.default(''),
      }),
      (input) => {
        const { repository, workspace = '', ...rest } = input;
        const subject = repository === undefined ? 'workspace' : 'repository';
        const { hooks } =
          repository === undefined ? workspaceFor(host, workspace) : repositoryFor(host, repository);
        const all = hookEvents(subject, host);
        const uuid = `{${randomUUID()}}`;
        hooks.push({ uuid, ...rest, events: rest.events ?? all, createdAt: host.clock.nextMicros() });
        return { hook: uuid };
      },
    ),
    'hook.edit': mutation(
      z.strictObject({ hook: z.string(), ...z.object(settings).partial().shape }),
      (input) => {
        const { hook: uuid, ...changes } = input;
        const { hook } = place(uuid);
        hook.url = changes.url ?? hook.url;
        hook.events = changes.events ?? hook.events;
        hook.active = changes.active ?? hook.active;
        hook.description = changes.description ?? hook.description;
        if (changes.secret !== undefined) hook.secret = changes.secret;
        return {};
      },
    ),
    'hook.delete': mutation(z.strictObject({ hook: z.string() }), (input) => {
      const { hooks, hook } = place(input.hook);
      hooks.splice(hooks.indexOf(hook), 1);
      return {};
    }),
  };
}
