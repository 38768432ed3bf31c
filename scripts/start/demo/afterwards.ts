import { setTimeout as sleep } from 'node:timers/promises';
import type { Import, PublicApi } from './publicApi.ts';
import type { Source } from './source.ts';

/** What a step after the import took. */
export interface Step {
  readonly seconds: number;
  /** requests to the host meanwhile */
  readonly requests: number;
}

/** The story after the import: a change comes in by itself, a service is off and on, a sync by hand. */
export interface Afterwards {
  /** until webhooks were registered, and how many workspaces tell of changes now */
  readonly webhooks: Step & { readonly workspaces: number };
  /** from an edit at the host until it was here */
  readonly change: Step;
  /** until a service that had been off had caught up */
  readonly service: Step & { readonly service: string; readonly records: number };
  /** a sync by hand, when nothing had changed */
  readonly sync: Step;
}

export interface AfterwardsOptions {
  readonly api: PublicApi;
  readonly source: Source;
  readonly integrationId: string;
  readonly say: (line: string) => void;
}

const REPOSITORY = 'acme-rockets/flight-control';
const SERVICE = 'tickets';
const LOOK_EVERY_MS = 100;
const GIVE_UP_MS = 3 * 60_000;

/**
 * Tells it, each step to its end, so that what is stored afterwards is what the host has. All of it may be told again on
 * what an earlier start left, wherever that was interrupted. Throws when a step does not come to its end.
 */
export async function tellAfterwards(options: AfterwardsOptions): Promise<Afterwards> {
  const { api, integrationId } = options;
  const repositoryId = await api.findRepository(integrationId, REPOSITORY);
  if (repositoryId === undefined) throw new Error(`The integration does not see ${REPOSITORY}.`);
  return {
    webhooks: await registerWebhooks(options),
    change: await changeAtTheSource(options, repositoryId),
    service: await toggleService(options),
    sync: await syncByHand(options, repositoryId),
  };
}

/** Runs a step and measures it; `undefined` from `look` means not yet. */
async function measured<T>(
  { source }: AfterwardsOptions,
  what: string,
  begin: () => Promise<void>,
  look: () => Promise<T | undefined>,
): Promise<Step & { found: T }> {
  const mark = await source.mark();
  const beganMs = performance.now();
  await begin();
  for (;;) {
    const found = await look();
    const tookMs = performance.now() - beganMs;
    if (found !== undefined) {
      return { seconds: Math.round(tookMs) / 1_000, requests: await source.requestsSince(mark), found };
    }
    if (tookMs > GIVE_UP_MS) throw new Error(`It took longer than ${GIVE_UP_MS / 1_000} s until ${what}.`);
    await sleep(LOOK_EVERY_MS);
  }
}

const requestsOf = (count: number): string => (count === 1 ? '1 request' : `${count} requests`);

const recordsOf = (count: number): string => (count === 1 ? '1 record' : `${count} records`);

async function registerWebhooks(options: AfterwardsOptions): Promise<Afterwards['webhooks']> {
  const { api, integrationId, say } = options;
  say('7. Webhooks, so that changes come in by themselves');
  const before = await api.readWebhooks(integrationId);
  const { seconds, requests, found } = await measured(
    options,
    'the webhooks were registered',
    () => api.registerWebhooks(integrationId),
    async () => {
      const now = await api.readWebhooks(integrationId);
      const isNew = now.last_round_at !== before.last_round_at;
      return isNew && now.state === 'done' && now.workspaces.webhook > 0 ? now.workspaces.webhook : undefined;
    },
  );
  say(
    `   ${found} workspaces tell of changes now; the others are polled (${seconds} s, ${requestsOf(requests)})`,
  );
  return { workspaces: found, seconds, requests };
}

async function changeAtTheSource(options: AfterwardsOptions, repositoryId: string): Promise<Step> {
  const { api, source, say } = options;
  const edited = await api.firstPullRequest(repositoryId);
  if (edited === undefined) throw new Error(`${REPOSITORY} has no pull request.`);
  const title = `Edited at the source, ${new Date().toISOString()}`;
  const before = await api.lastSync(repositoryId);
  const { seconds, requests } = await measured(
    options,
    'the edit was here',
    () => source.change({ kind: 'pull_request.edit', repository: REPOSITORY, number: edited, title }),
    async () => {
      const isHere = (await api.pullRequestTitle(repositoryId, edited)) === title;
      return isHere && (await hasSynced(api, repositoryId, before)) ? true : undefined;
    },
  );
  say(
    `   somebody edits pull request #${edited} of ${REPOSITORY}: here after ${seconds} s, ${requestsOf(requests)}`,
  );
  return { seconds, requests };
}

async function toggleService(options: AfterwardsOptions): Promise<Afterwards['service']> {
  const { api, source, integrationId, say } = options;
  say(`8. A service is switched off and on again: ${SERVICE}`);
  const services = (await api.readIntegration(integrationId))?.services ?? [];
  const others = services.filter((service) => service !== SERVICE);
  if (services.includes(SERVICE)) {
    const off = await api.setServices(integrationId, others);
    say(`   off: ${off.join(', ')} are left; what is stored stays`);
  } else {
    say('   the last start was interrupted while it was off');
  }
  await source.change({ kind: 'ticket.create', repository: REPOSITORY, title: 'Opened while nobody looked' });
  say(`   meanwhile somebody opens a ticket in ${REPOSITORY}`);
  const known = new Set((await api.listImports(integrationId)).map(({ id }) => id));
  const { seconds, requests, found } = await measured<Import>(
    options,
    'the service had caught up',
    async () => void (await api.setServices(integrationId, [...others, SERVICE])),
    async () => {
      const caughtUp = (await api.listImports(integrationId)).find(({ id }) => !known.has(id));
      if (caughtUp === undefined || caughtUp.finished_at === null) return undefined;
      if (caughtUp.state !== 'completed') throw new Error(`The catching up ended ${caughtUp.state}.`);
      return caughtUp;
    },
  );
  say(
    `   on: an import of its own brings in what was missed: ${recordsOf(found.records)} in ${seconds} s, ${requestsOf(requests)}`,
  );
  return { service: SERVICE, records: found.records, seconds, requests };
}

async function syncByHand(options: AfterwardsOptions, repositoryId: string): Promise<Step> {
  const { api, say } = options;
  say(`9. A sync by hand: ${REPOSITORY}, where nothing has changed`);
  const before = await api.lastSync(repositoryId);
  const { seconds, requests } = await measured(
    options,
    'the sync had ended',
    () => api.sync(repositoryId),
    async () => ((await hasSynced(api, repositoryId, before)) ? true : undefined),
  );
  say(`   up to date after ${seconds} s, ${requestsOf(requests)}`);
  return { seconds, requests };
}

/** Whether a sync has ended well since, and none runs. Throws when the last one failed. */
async function hasSynced(
  api: PublicApi,
  repositoryId: string,
  before: Awaited<ReturnType<PublicApi['lastSync']>>,
): Promise<boolean> {
  const now = await api.lastSync(repositoryId);
  if (now?.state === 'failed')
    throw new Error(`The sync failed: ${now.last_error?.message ?? 'no reason is known'}`);
  return now?.state === 'completed' && now.last_success_at !== (before?.last_success_at ?? null);
}
