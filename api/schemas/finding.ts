import type { z } from 'zod';
import { unescapeJson, unescapeText } from '../../db/text.ts';
import type { Finding } from '../../workflows/words.ts';
import type { finding } from './shared.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A stored finding as the API shows it: only its known parts, texts as they came from Bitbucket. */
export function presentFinding(stored: Finding | null): z.infer<typeof finding> | null {
  if (stored === null) return null;
  const details = unescapeJson(stored.details);
  return {
    code: stored.code,
    message: unescapeText(stored.message),
    remedy: unescapeText(stored.remedy),
    ...(isRecord(details) ? { details } : {}),
  };
}
