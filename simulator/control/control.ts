import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Churn } from '../churn/churn.ts';
import type { Consumer } from '../oauth/consumer.ts';
import { TWO_FACTOR_CODE } from '../oauth/oauth.ts';
import type { Host } from '../rest/host.ts';
import type { Deliveries } from '../webhooks/deliveries.ts';
import type { DeliveryFaults } from '../webhooks/deliveryFaults.ts';
import type { DeliveryJournal } from '../webhooks/deliveryJournal.ts';
import { type ControlRoutes, readJson, sendJson, streamLines } from './controlRoutes.ts';
import { listCredentials } from './credentialList.ts';
import { createChurnRoutes } from './churnRoutes.ts';
import { createDeliveryRoutes } from './deliveryRoutes.ts';
import type { Faults } from './faults.ts';
import { listHooks } from './hookList.ts';
import type { Journal } from './journal.ts';
import { MutationError } from './mutation.ts';
import { truthLines } from './truth.ts';

export type Control = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: URLSearchParams,
) => Promise<void>;

export interface ControlTools {
  host: Host;
  consumer: Consumer;
  journal: Journal;
  faults: Faults;
  webhooks: { deliveries: Deliveries; faults: DeliveryFaults; journal: DeliveryJournal };
  churn: Churn;
  mutate: (change: unknown) => Promise<object>;
}

const wanted = (query: URLSearchParams) => ({
  only: query.get('repository') ?? undefined,
  git: query.get('git') !== 'no',
});

const clockSchema = z.strictObject({ advanceMs: z.number().min(0) });

function credentials(host: Host, consumer: Consumer) {
  return {
    credentials: listCredentials(host),
    oauth_consumer: {
      key: consumer.key,
      secret: consumer.secret,
      name: consumer.name,
      scopes: consumer.scopes,
      callback_url: consumer.callbackUrl,
      authorize_url: `${host.urls.web}/site/oauth2/authorize`,
      token_url: `${host.urls.web}/site/oauth2/access_token`,
    },
    two_factor_code: TWO_FACTOR_CODE,
  };
}

const clockOf = ({ clock }: Host) => ({
  now: new Date(clock.nowMs()).toISOString(),
  now_ms: clock.nowMs(),
  advanced_ms: clock.advancedMs,
});

function createRoutes({
  host,
  consumer,
  journal,
  faults,
  webhooks,
  churn,
  mutate,
}: ControlTools): ControlRoutes {
  return {
    'GET state': ({ response, query }) => streamLines(response, truthLines(host, wanted(query))),
    'GET credentials': ({ response }) => sendJson(response, credentials(host, consumer)),
    'GET hooks': ({ response }) => sendJson(response, { hooks: listHooks(host) }),
    'GET journal': ({ response, query }) =>
      streamLines(response, journal.since(Number(query.get('since') ?? 0))),
    'DELETE journal': ({ response }) => {
      journal.clear();
      sendJson(response, {});
    },
    'GET faults': ({ response }) => sendJson(response, faults.report()),
    'PUT faults': async ({ request, response }) => {
      faults.set(await readJson(request));
      sendJson(response, faults.report());
    },
    'DELETE faults': ({ response }) => {
      faults.clear();
      sendJson(response, faults.report());
    },
    'GET clock': ({ response }) => sendJson(response, clockOf(host)),
    'PUT clock': async ({ request, response }) => {
      host.clock.advance(clockSchema.parse(await readJson(request)).advanceMs);
      sendJson(response, clockOf(host));
    },
    'POST mutations': async ({ request, response }) => {
      const changes = await readJson(request);
      const results: object[] = [];
      for (const change of Array.isArray(changes) ? changes : [changes]) results.push(await mutate(change));
      sendJson(response, { results });
    },
    ...createDeliveryRoutes(webhooks),
    ...createChurnRoutes(churn),
  };
}

/** `/_simulator/…`: what tests and demos use beside the real host's addresses. Never limited, never journalled. */
export function createControl(tools: ControlTools): Control {
  const routes = new Map(Object.entries(createRoutes(tools)));
  return async (request, response, path, query) => {
    const handle = routes.get(`${request.method} ${path.slice('/_simulator/'.length)}`);
    if (handle === undefined) {
      return sendJson(response, { error: `the simulator has no ${request.method} ${path}` }, 404);
    }
    try {
      await handle({ request, response, query });
    } catch (error) {
      const told =
        error instanceof MutationError || error instanceof z.ZodError || error instanceof SyntaxError;
      if (!told || response.headersSent) throw error;
      sendJson(response, { error: error.message }, 400);
    }
  };
}
