import { randomUUID } from 'node:crypto';
import type { Hook, Repository, Workspace } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { Host } from '../rest/host.ts';
import type { Deliveries } from './deliveries.ts';
import type { EventParts } from './eventParts.ts';

/** Where something happened, and who did it. */
export interface EventPlace {
  repository: Repository;
  actor: Person | null;
  /** where the repository was before: its hooks are told too */
  formerWorkspace?: Workspace;
}

/** Tells the webhooks what happens on the host. */
export interface Events {
  /**
   * Puts an event in the queue of every active hook that wants it: the repository's, and its workspace's. `parts` is
   * asked only when there is one. Resolves when the body stands; sending is not waited for.
   */
  tell(event: string, place: EventPlace, parts?: () => EventParts | Promise<EventParts>): Promise<void>;
}

function subscribers(event: string, { repository, formerWorkspace }: EventPlace): Hook[] {
  const all = [
    ...repository.hooks,
    ...repository.workspace.hooks,
    ...(formerWorkspace === undefined ? [] : formerWorkspace.hooks),
  ];
  return all.filter((hook) => hook.active && hook.events.includes(event));
}

export function createEvents(host: Host, deliveries: Deliveries): Events {
  return {
    async tell(event, place, parts = () => ({})) {
      const hooks = subscribers(event, place);
      if (hooks.length === 0) return;
      const told = {
        actor: host.people.person(place.actor),
        ...(await parts()),
        repository: host.repositories.event(place.repository),
      };
      const body = `{${Object.entries(told)
        .map(([name, json]) => `${JSON.stringify(name)}:${json}`)
        .join(',')}}`;
      for (const hook of hooks) {
        deliveries.add({
          event,
          repository: place.repository.uuid,
          hook: hook.uuid,
          url: hook.url,
          secret: hook.secret,
          requestUuid: randomUUID(),
          timeMs: host.clock.nowMs(),
          body,
        });
      }
    },
  };
}
