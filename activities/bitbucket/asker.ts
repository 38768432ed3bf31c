import type { ImportKind } from '../../workflows/words.ts';

/** For whom a request is made: decides who goes first, and how several imports of one account share. */
export interface Asker {
  /** live syncs and connection checks: before all imports, and into the reserve */
  goesFirst: boolean;
  /** who shares: the id of an import, or what else walks for long */
  consumer: string;
  /** id of the workflow that waits when there is no room: it is woken when its turn comes early */
  waiter: string | null;
}

/** What a person or a webhook waits for. */
export const LIVE: Asker = { goesFirst: true, consumer: 'live', waiter: null };

/** Work that is not bound to an import or a person. */
export const BACKGROUND: Asker = { goesFirst: false, consumer: 'background', waiter: null };

/** A walk that may wait for hours: the chunks of an import, or a discovery. */
export const walker = (consumer: string, waiter: string | null): Asker => ({
  goesFirst: false,
  consumer,
  waiter,
});

/** The reading of a repository: for an import, which takes its turn, or a sync, which goes before them. */
export const askerOf = (kind: ImportKind, importId: string, waiter: string | null): Asker =>
  kind === 'sync' ? { ...LIVE, waiter } : walker(importId, waiter);

/** By which a discovery shares: one at a time of an integration. */
export const discoveryConsumer = (integrationId: string): string => `discovery/${integrationId}`;

/** By which the poll rounds of an integration share. */
export const pollConsumer = (integrationId: string): string => `poll/${integrationId}`;

/** By which an estimate shares. */
export const estimateConsumer = (estimateId: string): string => `estimate/${estimateId}`;

/** By which the upkeep of an integration's webhooks shares. */
export const webhooksConsumer = (integrationId: string): string => `webhooks/${integrationId}`;
