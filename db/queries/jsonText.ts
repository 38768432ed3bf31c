import { escapeJson } from '../text.ts';

/** A value as the text of a `jsonb`, escaped as `db/text.ts` says; null for none. */
export const jsonText = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(escapeJson(value));
