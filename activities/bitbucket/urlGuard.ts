import { InvalidResponse } from './errors.ts';

export interface UrlGuard {
  /** A path of ours (`/repositories/…?…`) under the API base. */
  ofPath(path: string): URL;
  /** An absolute URL that Bitbucket put into an answer. Throws InvalidResponse unless it is one of ours. */
  ofNext(next: string): URL;
  /** A `Location` header, possibly relative to the URL that was asked. Throws InvalidResponse likewise. */
  ofRedirect(location: string, asked: URL): URL;
  /** The path under the API base, without query: for messages and classification. */
  pathOf(url: URL): string;
}

const MAX_LENGTH = 16_384;

// Control characters, blanks and backslashes: URL parsers differ on them, so none may decide where a credential goes.
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u0020\\\u007f]/;

function climbs(path: string): boolean {
  try {
    return decodeURIComponent(path)
      .split(/[/\\]/)
      .some((segment) => segment === '..' || segment === '.');
  } catch {
    return true; // not decodable: nothing Bitbucket writes
  }
}

/**
 * A renamed repository's lists are asked for as before (facts 4.4 do not say that the redirect keeps the query): without it
 * they would give ten open pull requests as if these were all.
 */
function withQuery(target: URL, asked: URL): URL {
  const list = (url: URL): string | undefined =>
    /\/repositories\/[^/]+\/[^/]+(\/.*)?$/.exec(url.pathname)?.[1];
  if (target.search === '' && list(target) !== undefined && list(target) === list(asked))
    target.search = asked.search;
  return target;
}

/**
 * Lets only URLs pass that have exactly the API's scheme, host, port and path prefix, and no user info:
 * the signature must never travel to a place that an answer chose.
 * `apiUrl` without a slash at its end, e.g. `https://api.bitbucket.org/2.0`.
 */
export function createUrlGuard(apiUrl: string): UrlGuard {
  const base = new URL(apiUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  const start = `${base.origin}${prefix}/`;

  function refuse(what: string): InvalidResponse {
    return new InvalidResponse({
      lasting: true,
      finding: {
        code: 'foreign_url',
        message: `Bitbucket's answer leads to ${what}, so it was not followed.`,
        remedy:
          'Nothing was sent there. If this repeats, something between the engine and Bitbucket changes the answers (a proxy).',
      },
    });
  }

  function check(url: URL): URL {
    if (url.origin !== base.origin) throw refuse('another host, port or scheme');
    if (url.username !== '' || url.password !== '') throw refuse('an address with user info');
    if (!url.pathname.startsWith(`${prefix}/`) || climbs(url.pathname)) {
      throw refuse('a path outside the API');
    }
    if (url.hash !== '') throw refuse('an address with a fragment');
    return url;
  }

  function plain(text: string): string {
    if (text.length > MAX_LENGTH) throw refuse('an address of unreasonable length');
    if (UNSAFE.test(text)) throw refuse('an address with characters that have no place there');
    return text;
  }

  return {
    ofPath: (path) => check(new URL(`${base.origin}${prefix}${path}`)),
    ofNext(next) {
      // The text itself, not only the parsed form: what the parser would repair (`https:/host`) is refused.
      if (!plain(next).startsWith(start) || climbs(next.split('?')[0] ?? '')) {
        throw refuse('another host or path');
      }
      return check(new URL(next));
    },
    ofRedirect(location, asked) {
      const target = plain(location);
      if (!URL.canParse(target, asked.href)) throw refuse('something that is no address');
      return check(withQuery(new URL(target, asked), asked));
    },
    pathOf: (url) => url.pathname.slice(prefix.length),
  };
}
