import { setTimeout as sleep } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import type { ApiApp } from '../dependencies.ts';
import { createImportFollower, type News } from '../importFollower.ts';
import { createNewsSender } from '../newsSender.ts';
import { operation } from '../operation.ts';
import { invalidRequest, notFound, Problem } from '../problem.ts';
import { logOf } from '../requestLog.ts';
import { idParam } from '../schemas/shared.ts';

const DEFAULT_POLL_MS = 500;
/** Of an import that waits for a person or for the allowance: minutes, if not days. */
const SLOWER = 10;
const WAITS: ReadonlySet<string> = new Set(['paused', 'needs_credential', 'rate_limited']);

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
    'What happened, with ids (resume by `Last-Event-ID`): `import_started`, `import_paused`, `import_rate_limited`, `import_needs_credential`, `import_resumed`, `import_cancelling`, `import_retried`, `import_completed`, `import_completed_with_failures`, `import_cancelled`; of a repository `repository_started`, `repository_paused`, `rate_limited`, `needs_credential`, `repository_resumed`, `repository_completed`, `repository_failed`, `repository_cancelled`. Between them `progress` with the import as it stands (without ids). Ends when the import has ended, or the key. One process of the api has 20 of a key at most, and 200 in all; a reader that takes nothing for 30 seconds is cut off.',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam },
  responses: {
    200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
    204: { description: 'The import has ended, and everything after `Last-Event-ID` was sent.' },
  },
  problems: [400, 429],
  problemTexts: {
    429: 'The key, or this process of the api, has as many streams open as it may; `Retry-After` says when to try again.',
  },
});

export function addFollowImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id: importId } = c.req.valid('param');
    const lastEventId = eventId(c.req.header('Last-Event-ID'));
    const { dependencies, principal, streams, looks } = c.var;
    const { stopping, eventPollMs = DEFAULT_POLL_MS } = dependencies;
    const release = streams.take(principal.apiKeyId);
    if (release === null) throw tooManyStreams(importId);
    let isOpen = false;
    try {
      const follow = createImportFollower(dependencies, principal, { importId, lastEventId });
      const first = await looks(follow);
      if (first === null) throw notFound('import');
      if (lastEventId > 0 && first.done && first.events.length === 0) return c.body(null, 204);

      // Hono serves HEAD by the handler of GET: nobody would read the stream, nor leave it.
      if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS);
      // Who follows comes again, and meets another process.
      if (stopping?.aborted === true) return c.body('', 200, { ...HEADERS, Connection: 'close' });

      isOpen = true;
      c.header('X-Accel-Buffering', HEADERS['X-Accel-Buffering']);
      return streamSSE(c, async (stream) => {
        const gone = new AbortController();
        const leave = (): void => gone.abort();
        stream.onAbort(leave);
        // Taken away with the stream: the signal of the process outlives them all.
        stopping?.addEventListener('abort', leave, { signal: gone.signal });
        const send = createNewsSender(stream, {
          heartbeatMs: dependencies.eventHeartbeatMs,
          writeMs: dependencies.eventWriteMs,
          onStuck() {
            stream.abort();
            // What it has not taken would stay with its connection.
            c.env.outgoing?.destroy();
          },
        });
        const look = (): Promise<News | null> => looks(async () => (gone.signal.aborted ? null : follow()));
        try {
          for (let news: News | null = first; news !== null && !gone.signal.aborted; news = await look()) {
            await send(news);
            if (news.done) return;
            const waitMs = WAITS.has(news.progress.state) ? SLOWER * eventPollMs : eventPollMs;
            await sleep(waitMs, undefined, { signal: gone.signal }).catch(ignore);
          }
        } catch (error) {
          // Without a word: Hono would write its text as an event. The client resumes from the last id that it saw.
          logOf(c).warn({ error, import_id: importId }, 'An event stream broke off');
        } finally {
          leave();
          release();
        }
      });
    } finally {
      if (!isOpen) release();
    }
  });
}

const tooManyStreams = (importId: string): Problem =>
  new Problem({
    status: 429,
    code: 'too_many_streams',
    detail: 'As many event streams are open as there may be, of this key or of all.',
    fix: `Close one, or read GET /v1/imports/${importId}.`,
    headers: { 'Retry-After': '5' },
  });

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
