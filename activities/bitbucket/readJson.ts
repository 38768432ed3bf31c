import { escapesNothing } from '../../db/text.ts';
import { InvalidResponse } from './errors.ts';
import type { RawAnswer } from './send.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON of a success, and whether its text is plain (no text in it needs an escape to be stored). Throws InvalidResponse for an empty, cut off, non-JSON or HTML body: what cannot be read
 * is never taken for "nothing there". The body itself goes into no message (HTML error pages show the caller's profile).
 */
export function readJson(answer: RawAnswer, path: string): { json: unknown; plain: boolean } {
  const type = answer.headers.get('content-type') ?? '';
  if (answer.bytes.byteLength === 0) throw unreadable(path, 'is empty', { status: answer.status });
  if (/html/i.test(type)) throw unreadable(path, 'is a web page', { status: answer.status });
  try {
    const text = utf8.decode(answer.bytes);
    const json: unknown = JSON.parse(text);
    return { json, plain: escapesNothing(text) || isPlain(json) };
  } catch {
    // The parser's own message quotes the body.
    throw unreadable(path, 'is cut off or no JSON', { status: answer.status });
  }
}

/** Written again, pairs of surrogates are characters, and only what must be escaped shows as an escape. */
function isPlain(json: unknown): boolean {
  try {
    return escapesNothing(JSON.stringify(json));
  } catch {
    // Nested too deep to be written: such a record is refused, and the others are looked at one by one.
    return false;
  }
}

/** The JSON of an error, if it is any (facts 4.1: plain text and HTML happen). */
export function tryJson(answer: RawAnswer): unknown {
  try {
    return JSON.parse(utf8.decode(answer.bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** `readsOn`: see InvalidResponse. */
export function unreadable(
  path: string,
  what: string,
  { status = 200, readsOn = false }: { status?: number; readsOn?: boolean } = {},
): InvalidResponse {
  return new InvalidResponse({
    status,
    path,
    readsOn,
    finding: {
      code: 'unreadable_answer',
      message: `Bitbucket's answer for ${path} ${what}.`,
      remedy:
        'The engine asks again a few times. If it stays so, a proxy may change the answers, or Bitbucket changed them.',
    },
  });
}
