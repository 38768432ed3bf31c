import { isUtf8 } from 'node:buffer';
import type { GitSignature } from './store.ts';

/** A commit or annotated tag, split into its parts; text stays bytes. */
export interface RawObject {
  tree: string;
  parents: string[];
  /** Of a tag: the object it names. */
  object: string;
  author: RawSignature;
  committer: RawSignature;
  tagger: RawSignature | null;
  encoding: string | null;
  message: Buffer;
}

export interface RawSignature {
  name: Buffer;
  email: Buffer;
  seconds: number;
  zone: string;
}

const NEWLINE = 10;
const NOBODY: RawSignature = { name: Buffer.alloc(0), email: Buffer.alloc(0), seconds: 0, zone: '+0000' };

/** Parses the object format of git: header lines, a blank line, the message. Unknown and folded headers are passed over. */
export function parseObject(data: Buffer): RawObject {
  const parsed: RawObject = {
    tree: '',
    parents: [],
    object: '',
    author: NOBODY,
    committer: NOBODY,
    tagger: null,
    encoding: null,
    message: Buffer.alloc(0),
  };
  let at = 0;
  while (at < data.length) {
    const found = data.indexOf(NEWLINE, at);
    const end = found === -1 ? data.length : found;
    if (end === at) {
      parsed.message = data.subarray(at + 1);
      break;
    }
    readHeader(parsed, data.subarray(at, end));
    at = end + 1;
  }
  return parsed;
}

function readHeader(parsed: RawObject, line: Buffer): void {
  const space = line.indexOf(32);
  const value = line.subarray(space + 1);
  switch (line.toString('latin1', 0, Math.max(space, 0))) {
    case 'tree':
      parsed.tree = value.toString('latin1');
      break;
    case 'parent':
      parsed.parents.push(value.toString('latin1'));
      break;
    case 'object':
      parsed.object = value.toString('latin1');
      break;
    case 'author':
      parsed.author = parseSignature(value);
      break;
    case 'committer':
      parsed.committer = parseSignature(value);
      break;
    case 'tagger':
      parsed.tagger = parseSignature(value);
      break;
    case 'encoding':
      parsed.encoding = value.toString('latin1');
      break;
  }
}

/** `Name <e-mail> seconds zone`; the last `>` ends the e-mail, as git reads it. */
function parseSignature(value: Buffer): RawSignature {
  const open = value.indexOf(60);
  const close = value.lastIndexOf(62);
  if (open === -1 || close < open) return { ...NOBODY, name: value };
  const [seconds = '', zone = '+0000'] = value
    .toString('latin1', close + 1)
    .trim()
    .split(' ');
  return {
    name: trimEnd(value.subarray(0, open)),
    email: value.subarray(open + 1, close),
    seconds: Number.parseInt(seconds, 10) || 0,
    zone,
  };
}

function trimEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 32) end -= 1;
  return bytes.subarray(0, end);
}

/** Decodes as git recodes for output: by the object's `encoding`, else as UTF-8. Null when the bytes are not valid there. */
export function decodeStrict(bytes: Buffer, encoding: string | null): string | null {
  const label = encoding?.trim().toLowerCase() ?? 'utf-8';
  // The web's "iso-8859-1" is windows-1252, which differs from iconv's between 0x80 and 0x9f.
  if (label === 'iso-8859-1' || label === 'latin1' || label === 'iso8859-1') return bytes.toString('latin1');
  const recoded = label === 'utf-8' || label === 'utf8' ? null : recode(bytes, label);
  return recoded ?? (isUtf8(bytes) ? bytes.toString('utf8') : null);
}

/** Null, as git leaves the bytes alone, when the encoding is unknown or the bytes are not valid in it. */
function recode(bytes: Buffer, label: string): string | null {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** As {@link decodeStrict}, with U+FFFD for what cannot be decoded. */
export function decodeLossy(bytes: Buffer, encoding: string | null = null): string {
  return encoding === null
    ? bytes.toString('utf8')
    : (decodeStrict(bytes, encoding) ?? bytes.toString('utf8'));
}

/** ISO 8601 in UTC with the offset spelt `+00:00`. */
export function isoDate(seconds: number): string {
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}+00:00`;
}

export function toSignature(raw: RawSignature, encoding: string | null): GitSignature {
  return {
    name: decodeLossy(raw.name, encoding),
    email: decodeLossy(raw.email, encoding),
    seconds: raw.seconds,
    zone: raw.zone,
    date: isoDate(raw.seconds),
  };
}
