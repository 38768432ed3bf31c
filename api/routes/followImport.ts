import { setTimeout as sleep } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { holdsApiKey } from '../../db/queries/api/apiKeys.ts';
import {
  findImportEvent,
  type ImportEvent,
  type ImportEventPlace,
  readImportEvents,
} from '../../db/queries/api/importEvents.ts';
import { unescapeJson } from '../../db/text.ts';
import type { ApiApp, ApiDependencies, Principal } from '../dependencies.ts';
import { readImportDetail } from '../importDetail.ts';
import { instant } from '../instant.ts';
import { operation } from '../operation.ts';
import { invalidRequest, notFound } from '../problem.ts';
import { logOf } from '../requestLog.ts';
import { hasEnded } from '../schemas/import.ts';
import type { ImportDetail } from '../schemas/importDetail.ts';
import { idParam } from '../schemas/shared.ts';

const BATCH = 200;
const DEFAULT_POLL_MS = 500;
/** Proxies close what is silent for a minute. */
export const HEARTBEAT_MS = 15_000;

/** As `streamSSE` sets them; and proxies are to pass on at once what they get. */
const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  'X-Accel-Buffering': 'no',
} as const;

const route = operation({
  method: 'get',
  path: '/v1/imports/{id}/events',
  operationId: 'followImport',
  summary: 'Follow an import as server-sent events',
  description:
    'What happened (with ids: resume by `Last-Event-ID`), and between them `progress` with the import as it stands (without ids). Ends when the import has ended, or the key.',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam },
  responses: {
    200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
    204: { description: 'The import has ended, and everything after `Last-Event-ID` was sent.' },
  },
  problems: [400],
});

export function addFollowImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id: importId } = c.req.valid('param');
    const lastEventId = eventId(c.req.header('Last-Event-ID'));
    const { dependencies, principal } = c.var;
    const follow = createFollower(dependencies, principal, { importId, lastEventId });
    const first = await follow();
    if (first === null) throw notFound('import');
    if (lastEventId > 0 && first.done && first.events.length === 0) return c.body(null, 204);

    const { stopping } = dependencies;
    // Hono serves HEAD by the handler of GET: nobody would read the stream, nor leave it.
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS);
    // Who follows comes again, and meets another process.
    if (stopping?.aborted === true) return c.body('', 200, { ...HEADERS, Connection: 'close' });

    c.header('X-Accel-Buffering', HEADERS['X-Accel-Buffering']);
    return streamSSE(c, async (stream) => {
      const gone = new AbortController();
      const leave = (): void => gone.abort();
      stream.onAbort(leave);
      // Taken away with the stream: the signal of the process outlives them all.
      stopping?.addEventListener('abort', leave, { signal: gone.signal });
      const send = createSender(stream, dependencies.eventHeartbeatMs);
      try {
        for (let news: News | null = first; news !== null && !gone.signal.aborted; news = await follow()) {
          await send(news);
          if (news.done) return;
          await sleep(dependencies.eventPollMs ?? DEFAULT_POLL_MS, undefined, {
            signal: gone.signal,
          }).catch(ignore);
        }
      } catch (error) {
        // Without a word: Hono would write its text as an event. The client resumes from the last id that it saw.
        logOf(c).warn({ error, import_id: importId }, 'An event stream broke off');
      } finally {
        leave();
      }
    });
  });
}

const ignore = (): void => {};

function eventId(header: string | undefined): number {
  if (header === undefined || header === '') return 0;
  if (/^\d{1,15}$/.test(header)) return Number(header);
  throw invalidRequest(400, [
    {
      location: 'header.Last-Event-ID',
      message: 'This is no id of an event.',
      fix: 'Give the id of the last event seen, or leave the header out to start from the beginning.',
    },
  ]);
}

interface News {
  events: ImportEvent[];
  progress: ImportDetail;
  /** the import has ended and nothing more will come */
  done: boolean;
}

/**
 * Reads, call by call, what is new since an event, by its number in the import; an import that has not so many is told from
 * the beginning. null: the import is gone, or the key that follows it has ended.
 */
function createFollower(
  { database }: ApiDependencies,
  { organizationId, apiKeyId }: Principal,
  { importId, lastEventId }: { importId: string; lastEventId: number },
): () => Promise<News | null> {
  // Where it stands; undefined: that is still to be looked up.
  let place: ImportEventPlace | null | undefined = lastEventId === 0 ? null : undefined;
  return async () => {
    const looked = await database.read(organizationId, async (tx) => {
      if (!(await holdsApiKey(tx, apiKeyId))) return null;
      // The state first: events that are written after it was read are then at least looked for once more.
      const progress = await readImportDetail(tx, importId);
      if (progress === null) return null;
      const after =
        place === undefined ? await findImportEvent(tx, { importId, ordinal: lastEventId }) : place;
      return { progress, after, ...(await readImportEvents(tx, { importId, after, limit: BATCH })) };
    });
    if (looked === null) return null;
    const { events, progress, pending } = looked;
    place = events.at(-1) ?? looked.after;
    return { events, progress, done: hasEnded(progress) && !pending };
  };
}

/** Rates and what follows from them change with every look: alone they are no news more often than this. */
const RATES_MS = 5_000;

/** What stays the same while nothing happens. */
const facts = ({ streams, ...detail }: ImportDetail): string =>
  JSON.stringify({
    ...detail,
    records_per_second: 0,
    estimated_end: null,
    streams: streams.map((stream) => ({ ...stream, records_per_second: 0 })),
  });

/** Writes news: what happened, then how it stands where that changed; a comment where nothing is to say for long. */
function createSender(stream: SSEStreamingApi, heartbeatMs = HEARTBEAT_MS): (news: News) => Promise<void> {
  let lastProgress = '';
  let lastFacts = '';
  let lastProgressAt = 0;
  let lastWriteAt = Date.now();
  return async ({ events, progress: detail, done }) => {
    const progress = JSON.stringify(detail);
    const isNews =
      facts(detail) !== lastFacts ||
      (progress !== lastProgress && (done || Date.now() - lastProgressAt > RATES_MS));
    for (const event of events) {
      await stream.writeSSE({
        id: String(event.ordinal),
        event: event.type,
        data: JSON.stringify({
          type: event.type,
          repository_id: event.repositoryId,
          at: instant(event.at),
          data: unescapeJson(event.data),
        }),
      });
    }
    if (isNews) await stream.writeSSE({ event: 'progress', data: progress });
    else if (events.length === 0 && Date.now() - lastWriteAt > heartbeatMs)
      await stream.write(': still here\n\n');
    else if (events.length === 0) return;
    if (isNews) {
      lastProgress = progress;
      lastFacts = facts(detail);
      lastProgressAt = Date.now();
    }
    lastWriteAt = Date.now();
  };
}
