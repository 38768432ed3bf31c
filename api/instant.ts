/**
 * A timestamp of Postgres (`2026-11-23 22:50:01.123456+00`, or the form that jsonb gives it) as RFC 3339:
 * `2026-11-23T22:50:01.123456Z`. Microseconds stay as they are.
 */
export function instant(text: string): string {
  // As our sessions get it: thousands of them are in a page.
  if (text.endsWith('+00') && text[10] === ' ') return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`;
  return text
    .replace(' ', 'T')
    .replace(/([+-]\d\d)(?::?(\d\d))?$/, (_, hours: string, minutes: string | undefined) =>
      hours.slice(1) === '00' && (minutes ?? '00') === '00' ? 'Z' : `${hours}:${minutes ?? '00'}`,
    );
}

export const instantOrNull = (text: string | null): string | null => (text === null ? null : instant(text));
