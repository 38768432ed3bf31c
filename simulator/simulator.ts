import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthenticate } from './auth/authenticate.ts';
import { createCredentials } from './auth/credentials.ts';
import { createGitAccess } from './auth/gitAccess.ts';
import { createRateLimits, type LimitState } from './auth/rateLimit.ts';
import { type Churn, createChurn } from './churn/churn.ts';
import { type Clock, createClock } from './clock.ts';
import { createControl } from './control/control.ts';
import { type DemoCredential, listCredentials } from './control/credentialList.ts';
import { createFaults, type Faults } from './control/faults.ts';
import { createJournal, type Journal } from './control/journal.ts';
import { createChangeClock, keepChanges } from './control/keptChanges.ts';
import { createMutations } from './control/mutations.ts';
import { createGitStore } from './git/createGitStore.ts';
import { createGitHost } from './gitHost.ts';
import { createHandler, writeReply } from './handler.ts';
import { createWorld } from './model/world.ts';
import { sizeSpec } from './model/worldSpec.ts';
import { type Consumer, createConsumer } from './oauth/consumer.ts';
import { createGrants } from './oauth/grants.ts';
import { createOAuth } from './oauth/oauth.ts';
import { createSessions } from './oauth/sessions.ts';
import { limitsOf, type SimulatorOptions, type WebhookOptions } from './options.ts';
import { createApi } from './rest/api.ts';
import { createHost } from './rest/createHost.ts';
import { WORKSPACE_ONLY } from './rest/hookEvents.ts';
import { createRoutes } from './rest/routes.ts';
import { createDeliveries, type Deliveries } from './webhooks/deliveries.ts';
import { createDeliveryFaults, type DeliveryFaults } from './webhooks/deliveryFaults.ts';
import { createDeliveryJournal, type DeliveryJournal } from './webhooks/deliveryJournal.ts';
import { createEvents } from './webhooks/events.ts';

/** Beside the git repositories, whose names all end in `.git`. */
const CHANGES_FILE = 'changes.jsonl';

/** A running host, as tests in the same process hold it. */
export interface Simulator {
  /** The web host, git and OAuth: `http://127.0.0.1:7990`. */
  url: string;
  /** The API: `…/2.0`. */
  apiUrl: string;
  port: number;
  credentials: DemoCredential[];
  /** A demo credential by name; throws when there is none. */
  credential(name: string): DemoCredential;
  /** Every address under `/2.0`, as `GET /repositories/:workspace`. */
  routes: string[];
  consumer: Consumer;
  clock: Clock;
  faults: Faults;
  journal: Journal;
  /** What the webhooks are told, and how it fares. */
  webhooks: { deliveries: Deliveries; faults: DeliveryFaults; journal: DeliveryJournal };
  /** Changes that go on by themselves. */
  churn: Churn;
  /** Makes one change of the README's list. */
  mutate(change: { kind: string } & Record<string, unknown>): Promise<object>;
  close(): Promise<void>;
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator listens on no port');
  return address.port;
}

function retryAfterOf(style: SimulatorOptions['retryAfter'], nowMs: () => number) {
  return (state: LimitState): Record<string, string> => {
    if (style === 'seconds') return { 'retry-after': String(state.resetSeconds) };
    if (style === 'date') {
      return { 'retry-after': new Date(nowMs() + state.resetSeconds * 1000).toUTCString() };
    }
    return {};
  };
}

/** Takes requests at once but answers them only when the handler is there: links need the port first. */
function createWaitingServer() {
  let ready: (handler: ReturnType<typeof createHandler>) => void = () => {};
  const handler = new Promise<ReturnType<typeof createHandler>>((resolve) => {
    ready = resolve;
  });
  const server = createServer((request, response) => {
    handler
      .then((handle) => handle(request, response))
      .catch((error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        process.stderr.write(`simulator: ${request.method} ${request.url}: ${text}\n`);
        if (response.headersSent) response.destroy();
        else writeReply(response, { status: 500, headers: {}, body: 'simulator failed' });
      });
  });
  server.keepAliveTimeout = 60_000;
  return { server, ready };
}

function createWebhooks(clock: Clock, options: WebhookOptions): Simulator['webhooks'] {
  const faults = createDeliveryFaults();
  const journal = createDeliveryJournal();
  const { timeoutMs = 10_000, resendAfterMs = 200 } = options;
  return {
    faults,
    journal,
    deliveries: createDeliveries({ clock, faults, journal, timeoutMs, resendAfterMs }),
  };
}

/** Starts a Bitbucket Cloud of our own on loopback and resolves when it answers. */
export async function createSimulator(options: SimulatorOptions): Promise<Simulator> {
  const seed = options.seed ?? 1;
  const era = options.era ?? 'today';
  const folder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), 'bitbucket-simulator-')));
  const clock = createClock();
  const { gitCache: cache } = options;
  const git = createGitStore({ folder, path: options.path, ...(cache === undefined ? {} : { cache }) });
  const spec = options.world ?? sizeSpec(options.size ?? 'tiny');
  const world = await createWorld({
    seed,
    spec,
    repositories: options.repositories ?? [],
    git,
  });
  const credentials = createCredentials(world, clock.nowMs());
  const consumer = createConsumer(seed, world.cast.admin, options.oauth ?? {});
  const grants = createGrants({
    consumer,
    credentials,
    clock,
    accessTokenSeconds: options.oauth?.accessTokenSeconds ?? 7200,
    leewayMs: options.oauth?.refreshLeewayMs === undefined ? 600_000 : options.oauth.refreshLeewayMs,
  });
  const limits = createRateLimits({
    clock,
    windowMs: options.windowMs ?? 3_600_000,
    limits: limitsOf(options.limit ?? 1000),
  });

  const { server, ready } = createWaitingServer();
  const port = await listen(server, options.host ?? '127.0.0.1', options.port ?? 0);
  const url = options.publicUrl ?? `http://${options.host ?? '127.0.0.1'}:${port}`;
  const host = createHost({
    era,
    workspaceOnlyEvents: options.webhooks?.workspaceOnlyEvents ?? WORKSPACE_ONLY,
    world,
    git,
    clock,
    credentials,
    urls: { web: url, api: `${url}/2.0` },
  });
  const routes = createRoutes(host);
  const journal = createJournal();
  const faults = createFaults();
  const webhooks = createWebhooks(clock, options.webhooks ?? {});
  const events = createEvents(host, webhooks.deliveries);
  const changeClock = createChangeClock(clock);
  const makeChange = createMutations({
    host: options.keepChanges === true ? { ...host, clock: changeClock } : host,
    consumer,
    grants,
    events,
  });
  const mutate =
    options.keepChanges === true
      ? await keepChanges({
          file: join(folder, CHANGES_FILE),
          world: { seed, spec },
          clock,
          changeClock,
          mutate: makeChange,
        })
      : makeChange;
  const churn = createChurn({ host, mutate });
  ready(
    createHandler({
      clock,
      credentials,
      journal,
      faults,
      control: createControl({ host, consumer, journal, faults, webhooks, churn, mutate }),
      api: createApi({
        apiUrl: host.urls.api,
        routes,
        authenticate: createAuthenticate({
          credentials,
          clock,
          era,
          passwordLogin: options.passwordLogin ?? true,
        }),
        limits,
        retryAfter: retryAfterOf(options.retryAfter ?? 'none', () => clock.nowMs()),
      }),
      oauth: createOAuth({ consumer, grants, credentials, sessions: createSessions() }),
      git: createGitHost({ host, limits, access: createGitAccess({ credentials, clock, era }) }),
      publicUrl: url,
    }),
  );

  return {
    url,
    apiUrl: host.urls.api,
    port,
    credentials: listCredentials(host),
    credential(name) {
      const found = listCredentials(host).find((entry) => entry.name === name);
      if (found === undefined) throw new Error(`the simulator has no credential ${name}`);
      return found;
    },
    routes: routes.map(({ method, path }) => `${method} ${path}`),
    consumer,
    clock,
    faults,
    journal,
    webhooks,
    churn,
    mutate,
    async close() {
      await churn.stop();
      await webhooks.deliveries.close();
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      await closed;
      await git.close();
      if (options.dataFolder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
