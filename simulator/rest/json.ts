/**
 * Answers are put together as JSON text: what repeats (people, repositories) is rendered once and spliced in.
 * `JSON.stringify` writes lone surrogates and NUL as escapes, so every JavaScript string survives.
 */
export type Json = string;

export const quote = (text: string | null): Json => (text === null ? 'null' : JSON.stringify(text));

/** Renders once per key; for things whose number is bounded by the world (people, repositories). */
export function createFragments<K>(render: (key: K) => Json): {
  get(key: K): Json;
  forget(key: K): void;
} {
  const known = new Map<K, Json>();
  return {
    get(key) {
      let text = known.get(key);
      if (text === undefined) {
        text = render(key);
        known.set(key, text);
      }
      return text;
    },
    forget: (key) => {
      known.delete(key);
    },
  };
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return /[&<>"']/.test(text) ? text.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] ?? sign) : text;
}

/** `{type:"rendered", raw, markup, html}`; the html is the raw text in paragraphs, not real markdown. */
export function rendered(raw: string): Json {
  const html = raw === '' ? '' : `<p>${escapeHtml(raw)}</p>`;
  return `{"type":"rendered","raw":${quote(raw)},"markup":"markdown","html":${quote(html)}}`;
}

/** `%7B…%7D`: how UUIDs stand in links (facts 4.4). */
export const inUrl = (uuid: string): string => uuid.replace('{', '%7B').replace('}', '%7D');
