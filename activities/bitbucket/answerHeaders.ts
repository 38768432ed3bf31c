import type { ScopeHeaders } from './client.ts';

const list = (value: string | null): string[] | undefined =>
  value === null
    ? undefined
    : value
        .split(/[\s,]+/)
        .map((scope) => scope.trim())
        .filter((scope) => scope !== '');

/** The scope headers that every answer to a credential carries (facts 1.5). */
export function scopeHeaders(headers: Headers): ScopeHeaders {
  const granted = list(headers.get('x-oauth-scopes'));
  const accepted = list(headers.get('x-accepted-oauth-scopes'));
  const credentialType = headers.get('x-credential-type') ?? undefined;
  return {
    ...(granted === undefined ? {} : { granted }),
    ...(accepted === undefined ? {} : { accepted }),
    ...(credentialType === undefined ? {} : { credentialType }),
  };
}

/** `Sun Nov  6 08:49:37 1994`: of the forms that a date has in HTTP (RFC 9110, 5.6.7) the one that does not say GMT, and is. */
const ASCTIME = /^[a-z]{3} [a-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/i;

const parseHttpDate = (text: string): number => Date.parse(ASCTIME.test(text) ? `${text} GMT` : text);

/** The `Date` header as ISO time. */
export function answerDate(headers: Headers): string | undefined {
  const text = headers.get('date');
  if (text === null) return undefined;
  const time = parseHttpDate(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3_600;

/**
 * How many seconds a 429 asks to wait, or undefined when it does not say.
 * `Retry-After` (RFC 9110, 10.2.3) is seconds or a date; the date is read against the answer's own `Date`, so that
 * clocks that differ do no harm. Else `X-RateLimit-Reset`, which at Bitbucket is seconds left (facts 4.3).
 * At least 1; at most a day for Retry-After and an hour for Reset (the window is an hour), so that a mad value
 * costs one more question, not a stand-still.
 */
export function retryAfterSeconds(headers: Headers, nowMs: number = Date.now()): number | undefined {
  const after = headers.get('retry-after')?.trim();
  if (after !== undefined && after !== '') {
    if (/^\d+(\.\d+)?$/.test(after)) return bounded(Number(after), DAY_SECONDS);
    // Date.parse takes nearly anything (`-5`); HTTP dates begin with the day's name.
    const date = /^[a-z]{3}/i.test(after) ? parseHttpDate(after) : Number.NaN;
    const sentMs = parseHttpDate(headers.get('date') ?? '');
    if (!Number.isNaN(date)) {
      return bounded((date - (Number.isNaN(sentMs) ? nowMs : sentMs)) / 1000, DAY_SECONDS);
    }
  }
  const reset = /^\d+/.exec(headers.get('x-ratelimit-reset')?.trim() ?? '');
  return reset === null || Number(reset[0]) === 0 ? undefined : bounded(Number(reset[0]), HOUR_SECONDS);
}

const bounded = (seconds: number, most: number): number => Math.min(most, Math.max(1, Math.ceil(seconds)));

/** What an answer says about the limit that its request counted for (facts 4.3); null: nothing. */
export interface StatedLimits {
  limit: number | null;
  remaining: number | null;
  nearLimit: boolean | null;
}

/** No account has more; what is above is a misreading. */
const MOST = 1_000_000;

/**
 * Reads `X-RateLimit-Limit` (a number or a list such as `60, 60;w=3600`: the first number counts),
 * `X-RateLimit-Remaining` and `X-RateLimit-NearLimit` (true when under a fifth is left; one client reads it as a
 * number, of which only 0 and 1 have a meaning that can be known). A limit of 0 is none. They speak about the group of
 * their own request; `X-RateLimit-Resource` names it in a vocabulary that is not documented, and changes nothing.
 */
export function statedLimits(headers: Headers): StatedLimits {
  const limit = firstNumber(headers.get('x-ratelimit-limit'));
  const remaining = firstNumber(headers.get('x-ratelimit-remaining'));
  const near = headers.get('x-ratelimit-nearlimit')?.trim().toLowerCase() ?? '';
  return {
    limit: limit === 0 ? null : limit,
    remaining,
    nearLimit: /^(true|1)$/.test(near) ? true : /^(false|0)$/.test(near) ? false : null,
  };
}

function firstNumber(text: string | null): number | null {
  const found = /^\s*(\d{1,9})(?![\d.])/.exec(text ?? '');
  const number = found === null ? Number.NaN : Number(found[1]);
  return number <= MOST ? number : null;
}
