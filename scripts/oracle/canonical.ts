/** A record of either side in the form in which the two are compared. */
export interface CanonicalRecord {
  kind: RecordKind;
  /** what identifies it within its repository */
  key: string;
  /** everything else, in one JSON text with sorted keys */
  content: string;
  /** when the source last changed it; tells a stale row from a corrupted one */
  updatedOn: string | null;
}

export const RECORD_KINDS = [
  'repository',
  'branch',
  'tag',
  'commit',
  'commit_file',
  'pull_request',
  'pull_request_commit',
  'participant',
  'activity',
  'comment',
  'ticket',
  'ticket_comment',
  'ticket_change',
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** Builds the canonical form. Absent and null are the same thing; strings are compared unit by unit, never normalised. */
export function canonical(
  kind: RecordKind,
  key: string,
  content: Record<string, unknown>,
  updatedOn: string | null = null,
): CanonicalRecord {
  return { kind, key, content: sortedJson(content), updatedOn };
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner)
            .filter(([, entry]) => entry !== null && entry !== undefined)
            .toSorted(([a], [b]) => (a < b ? -1 : 1)),
        )
      : inner,
  );
}

const INSTANT = /^(\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|\+00(?::?00)?)$/;

/**
 * A UTC timestamp in one form with six digits, whether it comes from JSON (`…T…+00:00`) or from Postgres (`… …+00`).
 * Not by way of a Date, which would lose the microseconds. Throws on any other form.
 */
export function instant(text: unknown): string | null {
  if (text === null || text === undefined) return null;
  const found = typeof text === 'string' ? INSTANT.exec(text) : null;
  if (found === null) throw new Error(`Not a UTC timestamp: ${JSON.stringify(text)}`);
  const [, date, time, fraction = ''] = found;
  return `${date}T${time}.${fraction.padEnd(6, '0')}Z`;
}
