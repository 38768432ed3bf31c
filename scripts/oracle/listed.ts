import { z } from 'zod';
import { type CanonicalRecord, canonical } from './canonical.ts';

const contentSchema = z.object({
  parents: z.array(z.string()),
  author: z.array(z.string().nullable()),
  message: z.string().optional(),
});

/**
 * A commit as far as the API lists it: no zones, no line counts, and a replacement character for every byte that is no
 * UTF-8, where the other side compares bytes.
 */
export function asListed(record: CanonicalRecord): CanonicalRecord {
  if (record.kind !== 'commit') return record;
  const { parents, author, message } = contentSchema.parse(JSON.parse(record.content));
  const [name, email, date] = author;
  return canonical('commit', record.key, {
    parents,
    author: [readable(name), readable(email), date],
    message: message?.startsWith('bytes ') === true ? null : readable(message),
  });
}

const readable = (text: string | null | undefined): string | null =>
  text == null || text.includes('\ufffd') ? null : text;
