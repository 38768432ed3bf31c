/** Something that was written somewhere: a log, a dump, a history. */
export interface Place {
  readonly name: string;
  readonly content: Buffer;
}

export interface Hit {
  readonly secret: string;
  readonly place: string;
  readonly form: string;
}

/** Beyond this, the beginning and the end are searched for: a log may cut a long text off. */
const LONG = 60;
const PIECE = 40;

/** What base64 makes of a text at each of the three places it can begin at, without the characters its neighbours decide. */
function base64At(bytes: Buffer, offset: 0 | 1 | 2): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const decided = encoded.replaceAll('=', '');
  const begin = [0, 2, 3][offset] ?? 0;
  return decided.slice(begin, (offset + bytes.length) % 3 === 0 ? undefined : -1);
}

const json = (text: string): string => JSON.stringify(text).slice(1, -1);
const ascii = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- all but ASCII is what is escaped here
  text.replaceAll(/[^\u0000-\u007f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A secret in each form in which it could be written. */
export function formsOf(secret: string): { form: string; bytes: Buffer }[] {
  const raw = Buffer.from(secret, 'utf8');
  const url = encodeURIComponent(secret);
  const texts: Record<string, string> = {
    raw: secret,
    hex: raw.toString('hex'),
    'hex in capitals': raw.toString('hex').toUpperCase(),
    url,
    'url in small letters': url.replaceAll(/%[0-9A-F]{2}/g, (part) => part.toLowerCase()),
    form: new URLSearchParams({ '': secret }).toString().slice(1),
    json: json(secret),
    'json in json': json(json(secret)),
    'ascii json': ascii(json(secret)),
  };
  // A payload is base64 of JSON, so of the escaped form.
  for (const [name, text] of [
    ['', secret],
    [' of json', json(secret)],
  ] as const) {
    for (const offset of [0, 1, 2] as const) {
      const base64 = base64At(Buffer.from(text, 'utf8'), offset);
      texts[`base64${name} at ${offset}`] = base64;
      texts[`base64url${name} at ${offset}`] = base64.replaceAll('+', '-').replaceAll('/', '_');
    }
  }
  const different = new Map<string, string>();
  for (const [form, text] of Object.entries(texts)) if (!different.has(text)) different.set(text, form);
  return [...different].map(([text, form]) => ({ form, bytes: Buffer.from(text, 'utf8') }));
}

/** Where any of the secrets (by name) is written, in whatever form. */
export function findSecrets(secrets: ReadonlyMap<string, string>, places: readonly Place[]): Hit[] {
  const hits: Hit[] = [];
  for (const [name, secret] of secrets) {
    if (secret.length < 12) throw new Error(`${name} is too short to be searched for`);
    const pieces = secret.length > LONG ? [secret.slice(0, PIECE), secret.slice(-PIECE)] : [secret];
    for (const { form, bytes } of pieces.flatMap(formsOf)) {
      for (const place of places) {
        if (place.content.includes(bytes)) hits.push({ secret: name, place: place.name, form });
      }
    }
  }
  return hits;
}
