const code = (sign: string): number => sign.charCodeAt(0);
const [QUOTE, BACKSLASH, COMMA, COLON] = [code('"'), code('\\'), code(','), code(':')];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [code('['), code(']'), code('{'), code('}')];
const BLANKS = new Set([code(' '), code('\t'), code('\r'), code('\n')]);

/**
 * The bytes of each element of the top-level `values` list of a page that JSON.parse has accepted: quarantine keeps a
 * record as it came, where parsing has already rounded its large numbers and merged its repeated keys.
 * The last `values` counts, as for JSON.parse. Works on bytes: all signs of JSON's structure are ASCII.
 */
export function recordTexts(bytes: Uint8Array): Uint8Array[] {
  let texts: Uint8Array[] = [];
  let at = skipBlanks(bytes, 0) + 1; // behind the {
  for (;;) {
    at = skipBlanks(bytes, at);
    if (bytes[at] !== QUOTE) return texts; // the end
    const keyEnd = valueEnd(bytes, at);
    const key: unknown = JSON.parse(Buffer.from(bytes.subarray(at, keyEnd)).toString('utf8'));
    at = skipBlanks(bytes, skipBlanks(bytes, keyEnd) + 1); // behind the :
    const end = valueEnd(bytes, at);
    if (key === 'values') texts = bytes[at] === OPEN_LIST ? elements(bytes, at) : [];
    at = skipBlanks(bytes, end);
    if (bytes[at] === COMMA) at += 1;
  }
}

function elements(bytes: Uint8Array, start: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = skipBlanks(bytes, start + 1);
  while (at < bytes.length && bytes[at] !== CLOSE_LIST) {
    const end = valueEnd(bytes, at);
    found.push(bytes.slice(at, end));
    at = skipBlanks(bytes, end);
    if (bytes[at] === COMMA) at = skipBlanks(bytes, at + 1);
  }
  return found;
}

function skipBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (BLANKS.has(bytes[at] ?? 0)) at += 1;
  return at;
}

/** Where the value that starts at `from` ends. Counts brackets instead of recursing: nesting may be deep. */
function valueEnd(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at += 1) {
    const sign = bytes[at];
    if (sign === QUOTE) {
      at = stringEnd(bytes, at) - 1;
    } else if (sign === OPEN_LIST || sign === OPEN_OBJECT) {
      depth += 1;
    } else if (sign === CLOSE_LIST || sign === CLOSE_OBJECT) {
      if (depth === 0) return at; // a bare number or word before the end of its container
      depth -= 1;
    } else {
      const bareEnds = depth === 0 && (sign === COMMA || sign === COLON || BLANKS.has(sign ?? 0));
      if (bareEnds) return at;
      continue;
    }
    if (depth === 0) return at + 1;
  }
  return bytes.length;
}

function stringEnd(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}
