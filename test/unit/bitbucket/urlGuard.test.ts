import { describe, expect, it } from 'vitest';
import { InvalidResponse } from '../../../activities/bitbucket/errors.ts';
import { createUrlGuard } from '../../../activities/bitbucket/urlGuard.ts';

const API = 'https://api.bitbucket.org/2.0';
const guard = createUrlGuard(API);
const HOST = 'api.bitbucket.org';

/** Other places written in every way that some URL parser takes for ours, or that ours takes for another's. */
const HOSTILE: string[] = [
  // other hosts
  ...[
    'evil.example',
    `${HOST}.evil.example`,
    `evil${HOST}`,
    `${HOST}evil.example`,
    'bitbucket.org',
    'api.bitbucket.com',
    'api-bitbucket.org',
    'xn--pi-8ia.bitbucket.org',
    'аpi.bitbucket.org',
    'api.bitbucket。org',
    'api%2ebitbucket%2eorg',
    `${HOST}%00.evil.example`,
    `${HOST}%2f.evil.example`,
    `${HOST}:80`,
    `${HOST}:444`,
    `${HOST}:22`,
    `${HOST}.`,
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[fd00:ec2::254]',
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '10.0.0.1',
    '192.168.0.1',
    '100.64.0.1',
    'localhost',
    'localhost.',
    'metadata.google.internal',
    'localtest.me',
    '127.0.0.1.nip.io',
    'instance-data',
  ].map((host) => `https://${host}/2.0/repositories`),
  // user info
  ...[
    `user@${HOST}`,
    `user:password@${HOST}`,
    `:password@${HOST}`,
    `:@${HOST}`,
    `@${HOST}`,
    `${HOST}@evil.example`,
    `${HOST}:443@evil.example`,
    `${HOST}%40evil.example`,
    `${HOST}%20@evil.example`,
    `evil.example#@${HOST}`,
    `evil.example?@${HOST}`,
    `evil.example\\@${HOST}`,
    `evil.example/@${HOST}`,
  ].map((authority) => `https://${authority}/2.0/repositories`),
  // schemes
  `http://${HOST}/2.0/x`,
  `HTTP://${HOST}/2.0/x`,
  `ftp://${HOST}/2.0/x`,
  `file://${HOST}/2.0/x`,
  `file:///etc/passwd`,
  `ws://${HOST}/2.0/x`,
  `wss://${HOST}/2.0/x`,
  `gopher://${HOST}/2.0/x`,
  `data:application/json,{"values":[]}`,
  'javascript:alert(1)',
  `blob:https://${HOST}/2.0/x`,
  `view-source:https://${HOST}/2.0/x`,
  `httpss://${HOST}/2.0/x`,
  `https:${HOST}/2.0/x`,
  `https:/${HOST}/2.0/x`,
  `https:///${HOST}/2.0/x`,
  `https:////${HOST}/2.0/x`,
  `https:\\\\${HOST}\\2.0\\x`,
  `https:/\\${HOST}/2.0/x`,
  `//${HOST}/2.0/x`,
  `//evil.example/2.0/x`,
  `\\\\evil.example\\2.0\\x`,
  `/2.0/x`,
  '2.0/x',
  '?page=2',
  '#',
  '',
  ' ',
  'null',
  'undefined',
  '[object Object]',
  // paths outside the API
  ...[
    '/',
    '',
    '/2.0',
    '/1.0/repositories',
    '/2.0evil/x',
    '/2.00/x',
    '/2/x',
    '//2.0/x',
    '/x/2.0/repositories',
    '/2.0/../internal',
    '/2.0/../../internal',
    '/2.0/x/../../internal',
    '/2.0/./x',
    '/2.0/%2e%2e/internal',
    '/2.0/%2E%2E/internal',
    '/2.0/.%2e/internal',
    '/2.0/%2e./internal',
    '/2.0/x/%2e%2e/%2e%2e/internal',
    '/2.0/..%2finternal',
    '/2.0/x%2f..%2f..%2finternal',
    '/2.0/..%5cinternal',
    '/2.0/%5c..%5cinternal',
    '/2.0/%ff%fe',
    '/2.0/%',
    '/2.0/x%zz',
    '/site/oauth2/access_token',
    '/.well-known/x',
    '/2.0\\x',
    '/2.0/x\\..\\..\\internal',
  ].map((path) => `https://${HOST}${path}`),
  // characters that parsers drop or cut at
  `https://${HOST}/2.0/x y`,
  `https://${HOST}/2.0/x\ty`,
  `https://${HOST}/2.0/x\r\nHost: evil.example`,
  `https://${HOST}/2.0/x\n`,
  `\thttps://${HOST}/2.0/x`,
  ` https://${HOST}/2.0/x`,
  `https://${HOST}/2.0/x\u0000`,
  `https://${HOST}/2.0/x\u007f`,
  `ht\ntps://evil.example/2.0/x`,
  `https://${HOST}\t.evil.example/2.0/x`,
  `https://${HOST}/2.0/x#fragment`,
  `https://${HOST}/2.0/x?page=2#@evil.example`,
  `https://${HOST}#/2.0/x`,
  `https://${HOST}?/2.0/x`,
  `https://${HOST.toUpperCase()}/2.0/x`,
  `https://${HOST}:443/2.0/x`,
  `https://${HOST}:0443/2.0/x`,
  `https://${HOST}:/2.0/x`,
  `https://${HOST}/2.0/${'x'.repeat(20_000)}`,
];

describe('the URLs that answers give', () => {
  it(`are refused unless they are the API's own (${String(HOSTILE.length)} hostile ones)`, () => {
    expect(new Set(HOSTILE).size).toBeGreaterThanOrEqual(100);
    const passed = HOSTILE.filter((url) => {
      try {
        guard.ofNext(url);
        return true;
      } catch (error) {
        expect(error, url).toBeInstanceOf(InvalidResponse);
        return false;
      }
    });
    expect(passed).toEqual([]);
  });

  it('as redirects stay on the origin and under the API path', () => {
    const asked = new URL(`${API}/repositories/a/b`);
    const absolute = HOSTILE.filter((url) => /^[a-z-]+:/i.test(url) && URL.canParse(url));
    expect(absolute.length).toBeGreaterThan(60);
    for (const url of absolute) {
      try {
        const target = guard.ofRedirect(url, asked);
        expect(target.origin, url).toBe(`https://${HOST}`);
        expect(target.username + target.password, url).toBe('');
        expect(target.pathname.startsWith('/2.0/'), url).toBe(true);
      } catch (error) {
        expect(error, url).toBeInstanceOf(InvalidResponse);
      }
    }
    for (const url of ['//evil.example/2.0/x', '/3.0/x', '../../../internal', '\\\\evil.example']) {
      expect(() => guard.ofRedirect(url, asked), url).toThrow(InvalidResponse);
    }
  });

  it.each([
    `${API}/repositories/a/b?page=2`,
    `${API}/repositories/%7Ba%7D/b/commits?ctx=0123&page=2`,
    `${API}/repositories/a/b/refs/branches/feature%2Fx`,
    `${API}/repositories/a/b/diffstat/a/b:123%0D456?topic=true`,
    `${API}/repositories/a/b/src/main/...dots`,
  ])('pass when Bitbucket writes them: %s', (url) => {
    expect(guard.ofNext(url).href).toBe(url);
    expect(guard.ofRedirect(url, new URL(API)).href).toBe(url);
  });

  it('as relative redirects are read against what was asked', () => {
    const asked = new URL(`${API}/repositories/a/old`);
    expect(guard.ofRedirect('/2.0/repositories/a/new', asked).href).toBe(`${API}/repositories/a/new`);
  });

  it('keep the query of a list that moved with its repository, where they drop it', () => {
    const asked = new URL(`${API}/repositories/a/old/pullrequests?q=id%3E0&sort=id`);
    const moved = `${API}/repositories/a/new/pullrequests`;
    expect(guard.ofRedirect(moved, asked).href).toBe(`${moved}?q=id%3E0&sort=id`);
    expect(guard.ofRedirect(`${moved}?page=1`, asked).href).toBe(`${moved}?page=1`);
    const elsewhere = `${API}/repositories/a/new/commits`;
    expect(guard.ofRedirect(elsewhere, asked).href).toBe(elsewhere);
  });

  it('are checked for our own paths too', () => {
    expect(guard.ofPath('/user').href).toBe(`${API}/user`);
    expect(() => guard.ofPath('/../internal')).toThrow(InvalidResponse);
    expect(guard.pathOf(guard.ofPath('/repositories/a/b?x=1'))).toBe('/repositories/a/b');
  });
});
