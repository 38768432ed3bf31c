import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { readText } from '../http/body.ts';
import type { Consumer } from '../oauth/consumer.ts';
import { TWO_FACTOR_CODE } from '../oauth/oauth.ts';
import type { Host } from '../rest/host.ts';
import { listCredentials } from './credentialList.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import { MutationError } from './mutation.ts';
import { streamLines, truthLines } from './truth.ts';

export type Control = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: URLSearchParams,
) => Promise<void>;

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request);
  return JSON.parse(text === '' ? '{}' : text);
}

const wanted = (query: URLSearchParams) => ({
  only: query.get('repository') ?? undefined,
  git: query.get('git') !== 'no',
});

async function* each<T extends object>(list: readonly T[]): AsyncIterable<T> {
  yield* list;
}

const clockSchema = z.strictObject({ advanceMs: z.number().min(0) });

/** `/_simulator/…`: what tests and demos use beside the real host's addresses. Never limited, never journalled. */
export function createControl(tools: {
  host: Host;
  consumer: Consumer;
  journal: Journal;
  faults: Faults;
  mutate(change: unknown): Promise<object>;
}): Control {
  const { host, consumer, journal, faults } = tools;

  function credentials() {
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

  const clock = () => ({
    now: new Date(host.clock.nowMs()).toISOString(),
    now_ms: host.clock.nowMs(),
    advanced_ms: host.clock.advancedMs,
  });

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    switch (`${request.method} ${path.slice('/_simulator/'.length)}`) {
      case 'GET state':
        return await streamLines(response, truthLines(host, wanted(query)));
      case 'GET credentials':
        return sendJson(response, credentials());
      case 'GET journal':
        return await streamLines(response, each(journal.since(Number(query.get('since') ?? 0))));
      case 'DELETE journal':
        journal.clear();
        return sendJson(response, {});
      case 'GET faults':
        return sendJson(response, faults.report());
      case 'PUT faults':
        faults.set(await readJson(request));
        return sendJson(response, faults.report());
      case 'DELETE faults':
        faults.clear();
        return sendJson(response, faults.report());
      case 'GET clock':
        return sendJson(response, clock());
      case 'PUT clock':
        host.clock.advance(clockSchema.parse(await readJson(request)).advanceMs);
        return sendJson(response, clock());
      case 'POST mutations': {
        const changes = await readJson(request);
        const results: object[] = [];
        for (const change of Array.isArray(changes) ? changes : [changes]) {
          results.push(await tools.mutate(change));
        }
        return sendJson(response, { results });
      }
      default:
        return sendJson(response, { error: `the simulator has no ${request.method} ${path}` }, 404);
    }
  }

  return async (request, response, path, query) => {
    try {
      await answer(request, response, path, query);
    } catch (error) {
      const told =
        error instanceof MutationError || error instanceof z.ZodError || error instanceof SyntaxError;
      if (!told || response.headersSent) throw error;
      sendJson(response, { error: error.message }, 400);
    }
  };
}
