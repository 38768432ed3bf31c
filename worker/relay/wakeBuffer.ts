import type { DeliveryKey } from '../../db/queries/webhookRelay.ts';
import type { Service } from '../../workflows/words.ts';

export interface HeldDelivery extends DeliveryKey {
  /** how often its body had come again when it was claimed */
  repeats: number;
}

/** What is to be woken, and the deliveries that are done with it. */
export interface Wake {
  organizationId: string;
  integrationId: string;
  /** null: the discovery of the integration */
  repository: { id: string; fullName: string } | null;
  services: Service[];
  /** of a discovery: only these repositories, by their uuids at Bitbucket; null: everything */
  lookUp: string[] | null;
  deliveries: HeldDelivery[];
}

export interface WakeBuffer {
  /** how many deliveries wait */
  readonly size: number;
  add(wake: Wake): void;
  /** Takes out those whose turn it is. */
  takeDue(nowMs: number): Wake[];
  /** A repository's next turn is not before `untilMs`. */
  holdBack(wake: Wake, untilMs: number): void;
  /** Takes out everything. */
  clear(): Wake[];
}

/**
 * Hints between their delivery and their wake, merged by target: a thousand pushes to a repository that was woken a moment
 * ago are one wake. In memory only: what is lost with it is claimed again when its lease ends.
 */
export function createWakeBuffer(): WakeBuffer {
  let waiting = new Map<string, Wake>();
  const notBefore = new Map<string, number>();
  let size = 0;

  return {
    get size() {
      return size;
    },
    add(wake) {
      const known = waiting.get(keyOf(wake));
      waiting.set(keyOf(wake), known === undefined ? wake : merged(known, wake));
      size += wake.deliveries.length;
    },
    takeDue(nowMs) {
      for (const [key, untilMs] of notBefore) if (untilMs <= nowMs) notBefore.delete(key);
      const due = [...waiting].filter(([key]) => !notBefore.has(key));
      for (const [key, { deliveries }] of due) {
        waiting.delete(key);
        size -= deliveries.length;
      }
      return due.map(([, wake]) => wake);
    },
    holdBack: (wake, untilMs) => void notBefore.set(keyOf(wake), untilMs),
    clear() {
      const all = [...waiting.values()];
      waiting = new Map();
      size = 0;
      return all;
    },
  };
}

const keyOf = ({ integrationId, repository }: Wake): string => repository?.id ?? `discovery/${integrationId}`;

const merged = (one: Wake, other: Wake): Wake => ({
  ...other,
  services: [...new Set([...one.services, ...other.services])],
  lookUp: bothLookUps(one.lookUp, other.lookUp),
  deliveries: [...one.deliveries, ...other.deliveries],
});

/** A request each; a list has a hundred of them, so for many the whole discovery is the cheaper one. */
const MOST_LOOK_UPS = 20;

function bothLookUps(one: string[] | null, other: string[] | null): string[] | null {
  if (one === null || other === null) return null;
  const both = [...new Set([...one, ...other])];
  return both.length > MOST_LOOK_UPS ? null : both;
}
