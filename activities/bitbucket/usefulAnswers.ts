import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** One request that was sent. */
export interface SentRequest {
  accountKey: string;
  group: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** its address, and the form that it sends */
  asked: string;
  /** null: no answer came */
  status: number | null;
  /** body of the answer */
  bytes: Uint8Array | null;
}

export interface UsefulCount {
  sent: number;
  useful: number;
}

export interface UsefulAnswers {
  note(request: SentRequest): void;
  /** Of the last window; `undefined`: nothing was sent in it. */
  of(window: Pick<SentRequest, 'accountKey' | 'group'>): UsefulCount | undefined;
  /** Of every account and group that something was sent for in the last window. */
  all(): (UsefulCount & Pick<SentRequest, 'accountKey' | 'group'>)[];
}

/** A request leaves the window at the end of its part. */
const PARTS = 60;
/** Pages that are known again; of more, those asked for longest ago are forgotten. */
const REMEMBERED_PAGES = 20_000;

type Window = Pick<SentRequest, 'accountKey' | 'group'>;
type Part = UsefulCount & { part: number };

const keyOf = ({ accountKey, group }: Window): string => `${group} ${accountKey}`;

/**
 * Which of the requests of this process brought something, over a rolling window. Useful is an answer with content that
 * the same account was not given before by the same request, and a change that was made. So neither what was refused or
 * failed, nor a redirect, nor "unchanged" (304), nor a page that was read again and was the same byte by byte.
 */
export function createUsefulAnswers(options: {
  windowMs: number;
  /** a clock that only goes forward, milliseconds */
  now?: () => number;
}): UsefulAnswers {
  const { windowMs, now = () => performance.now() } = options;
  const partMs = Math.max(1, windowMs / PARTS);
  const windows = new Map<string, Window & { parts: Part[] }>();
  const pages = new Map<string, string>();

  const partNow = (): number => Math.floor(now() / partMs);

  function isUseful({ accountKey, method, asked, status, bytes }: SentRequest): boolean {
    if (status === null || status >= 300) return false;
    if (method === 'PUT' || method === 'DELETE' || bytes === null) return true;
    // An address, or its form, may have thousands of characters.
    const page = createHash('sha1').update(`${accountKey} ${method} ${asked}`).digest('base64');
    const content = `${bytes.length} ${crc32(bytes)}`;
    const before = pages.get(page);
    pages.delete(page);
    pages.set(page, content);
    const [oldest] = pages.keys();
    if (pages.size > REMEMBERED_PAGES && oldest !== undefined) pages.delete(oldest);
    return content !== before;
  }

  function countOf(of: Window): UsefulCount | undefined {
    const key = keyOf(of);
    const window = windows.get(key);
    if (window === undefined) return undefined;
    const gone = partNow() - PARTS;
    window.parts = window.parts.filter(({ part }) => part > gone);
    if (window.parts.length === 0) {
      windows.delete(key);
      return undefined;
    }
    return window.parts.reduce(
      (sum, { sent, useful }) => ({ sent: sum.sent + sent, useful: sum.useful + useful }),
      { sent: 0, useful: 0 },
    );
  }

  return {
    note(request) {
      const { accountKey, group } = request;
      const key = keyOf(request);
      const window = windows.get(key) ?? { accountKey, group, parts: [] };
      windows.set(key, window);
      const part = partNow();
      let last = window.parts.at(-1);
      if (last?.part !== part) {
        last = { part, sent: 0, useful: 0 };
        // Nobody may ever scrape.
        window.parts = [...window.parts.filter((one) => one.part > part - PARTS), last];
      }
      last.sent += 1;
      if (isUseful(request)) last.useful += 1;
    },
    of: countOf,
    all: () =>
      [...windows.values()].flatMap(({ accountKey, group }) => {
        const count = countOf({ accountKey, group });
        return count === undefined ? [] : [{ accountKey, group, ...count }];
      }),
  };
}
