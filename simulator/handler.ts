import { setTimeout as sleep } from 'node:timers/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Credential } from './auth/credential.ts';
import { readBasic } from './auth/authenticate.ts';
import type { Credentials } from './auth/credentials.ts';
import type { Clock } from './clock.ts';
import { bendList } from './control/bendList.ts';
import type { Control } from './control/control.ts';
import type { Fault, Faults } from './control/faults.ts';
import { fingerprint, type Journal, type JournalEntry, pageIdentity, safePath } from './control/journal.ts';
import { bendsBytes, faultReply, writeBent } from './control/playFault.ts';
import { type GitOutcome, isGitPath } from './gitHost.ts';
import { poisoned } from './control/poison.ts';
import { forbidden, noRoute } from './http/errors.ts';
import type { Reply } from './http/reply.ts';
import type { OAuth } from './oauth/oauth.ts';
import type { Api, Trace } from './rest/api.ts';

export interface HandlerParts {
  clock: Clock;
  credentials: Credentials;
  control: Control;
  journal: Journal;
  faults: Faults;
  api: Api;
  oauth: OAuth;
  git(request: IncomingMessage, response: ServerResponse): Promise<GitOutcome>;
  /** where clients reach the host: stands in every link */
  publicUrl: string;
}

export function writeReply(response: ServerResponse, reply: Reply, head = false): void {
  const body = Buffer.from(reply.body, 'utf8');
  response.writeHead(reply.status, {
    ...reply.headers,
    ...(reply.status === 204 || reply.status === 304 ? {} : { 'content-length': String(body.length) }),
  });
  response.end(head || reply.status === 304 ? undefined : body);
}

/** The secret of an `Authorization` header, of whatever kind. */
function secretOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  return readBasic(header)?.password ?? /^bearer\s+(\S+)$/i.exec(header.trim())?.[1];
}

/** Everything that comes in: control, then journal and faults around API, git and web addresses. */
export function createHandler(
  parts: HandlerParts,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { clock, journal } = parts;

  /** The host's own answer; `served` when it was written already. */
  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
    trace: Trace,
  ): Promise<Reply | 'served'> {
    if (path.startsWith('/2.0/')) return await parts.api.answer(request, path.slice(4), query, trace);
    if (isGitPath(path)) {
      trace.group = 'git';
      const outcome = await parts.git(request, response);
      trace.credential = outcome.actor ?? undefined;
      return outcome.reply;
    }
    // The API's host without its version (facts 1.6).
    if (path === '/user') return forbidden();
    return (await parts.oauth.answer(request, path, query)) ?? noRoute();
  }

  async function play(
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
    own: () => Promise<Reply | 'served'>,
  ): Promise<void> {
    if (fault?.kind === 'reset') {
      request.socket.destroy();
      return;
    }
    if (fault?.kind === 'delay') await sleep(fault.ms);
    const instead = fault === undefined ? undefined : faultReply(fault, clock.nowMs());
    const answered = instead ?? (await own());
    if (answered === 'served') return;
    if (fault?.kind === 'lost_answer') {
      // Silence ends when the client gives up, or with the simulator.
      if (fault.how === 'reset') request.socket.destroy();
      return;
    }
    const reply = fault?.kind === 'poison' ? poisoned(answered, fault) : answered;
    if (fault !== undefined && bendsBytes(fault)) await writeBent(response, reply, fault);
    else writeReply(response, reply, request.method === 'HEAD');
  }

  function begin(
    request: IncomingMessage,
    path: string,
    query: URLSearchParams,
    known: Credential | undefined,
  ): JournalEntry {
    const secret = secretOf(request.headers.authorization);
    return journal.begin({
      time_ms: clock.nowMs(),
      credential: secret === undefined ? null : fingerprint(secret),
      credential_name: known?.name ?? null,
      account: known?.person.uuid ?? null,
      method: request.method ?? 'GET',
      path: safePath(path, query),
      page: path.startsWith('/2.0/') ? pageIdentity(request.method ?? 'GET', path, query) : null,
      group: null,
      status: null,
      fault: null,
      duration_ms: null,
      bytes: null,
    });
  }

  return async (request, response) => {
    const target = request.url ?? '/';
    const mark = target.indexOf('?');
    const path = mark < 0 ? target : target.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
    response.setHeader('date', new Date(clock.nowMs()).toUTCString());
    if (path.startsWith('/_simulator/')) {
      await parts.control(request, response, path, query);
      return;
    }
    const secret = secretOf(request.headers.authorization);
    const known = secret === undefined ? undefined : parts.credentials.bySecret(secret);
    const entry = begin(request, path, query, known);
    const playing = parts.faults.next({ method: entry.method, target, credential: known });
    const fault = playing?.fault;
    entry.fault = fault?.kind ?? null;
    if (fault?.kind === 'expire_credential' && known !== undefined) known.expiresAtMs = clock.nowMs() - 1;
    const started = performance.now();
    response.once('close', () => {
      entry.status = response.headersSent ? response.statusCode : null;
      entry.duration_ms = Math.round((performance.now() - started) * 10) / 10;
      entry.bytes = Number(response.getHeader('content-length') ?? 0);
    });
    const trace: Trace = { credential: undefined, group: null };
    await play(request, response, fault, async () => {
      const reply = await answer(request, response, path, query, trace);
      entry.group = trace.group;
      if (playing === undefined || reply === 'served') return reply;
      const base = `${parts.publicUrl}${path}`;
      return bendList(reply, playing.fault, { base, query, played: playing.played });
    });
  };
}
