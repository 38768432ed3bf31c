import type { SSEStreamingApi } from 'hono/streaming';
import { unescapeJson } from '../db/text.ts';
import type { News } from './importFollower.ts';
import { instant } from './instant.ts';
import type { ImportDetail } from './schemas/importDetail.ts';

/** Proxies close what is silent for a minute. */
export const HEARTBEAT_MS = 15_000;
/** A reader whose system takes nothing for so long has stopped reading. */
const WRITE_MS = 30_000;

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

export interface SenderOptions {
  heartbeatMs?: number | undefined;
  writeMs?: number | undefined;
  /** called when the reader takes nothing any more */
  onStuck: () => void;
}

/** Writes news: what happened, then how it stands where that changed; a comment where nothing is to say for long. */
export function createNewsSender(
  stream: SSEStreamingApi,
  { heartbeatMs = HEARTBEAT_MS, writeMs = WRITE_MS, onStuck }: SenderOptions,
): (news: News) => Promise<void> {
  let lastProgress = '';
  let lastFacts = '';
  let lastProgressAt = 0;
  let lastWriteAt = Date.now();

  async function inTime(write: () => Promise<unknown>): Promise<void> {
    const timer = setTimeout(onStuck, writeMs);
    try {
      await write();
    } finally {
      clearTimeout(timer);
    }
  }

  return async ({ events, progress: detail, done }) => {
    const progress = JSON.stringify(detail);
    const isNews =
      facts(detail) !== lastFacts ||
      (progress !== lastProgress && (done || Date.now() - lastProgressAt > RATES_MS));
    for (const event of events) {
      const data = JSON.stringify({
        type: event.type,
        repository_id: event.repositoryId,
        at: instant(event.at),
        data: unescapeJson(event.data),
      });
      await inTime(() => stream.writeSSE({ id: String(event.ordinal), event: event.type, data }));
    }
    if (isNews) await inTime(() => stream.writeSSE({ event: 'progress', data: progress }));
    else if (events.length === 0 && Date.now() - lastWriteAt > heartbeatMs)
      await inTime(() => stream.write(': still here\n\n'));
    else if (events.length === 0) return;
    if (isNews) {
      lastProgress = progress;
      lastFacts = facts(detail);
      lastProgressAt = Date.now();
    }
    lastWriteAt = Date.now();
  };
}
