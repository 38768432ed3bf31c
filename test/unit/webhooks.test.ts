import { describe, expect, test } from 'vitest';
import { sameEvents, wantedEvents } from '../../activities/webhooks/events.ts';
import { createReceiver } from '../../activities/webhooks/receiver.ts';

const BITBUCKET = 'https://api.bitbucket.org/2.0';
const TOKEN = 'a'.repeat(43);

describe('where Bitbucket delivers to', () => {
  test.each([
    'https://ingestion.example.com',
    'https://ingestion.example.com:8443/engine',
    'http://203.0.113.7:4400',
    'http://[2001:db8::7]',
  ])('%s can be reached from outside, as far as its name tells', (publicUrl) => {
    expect(createReceiver({ publicUrl, apiUrl: BITBUCKET }).unavailable).toBeNull();
  });

  test.each([
    'http://127.0.0.1:4400',
    'http://localhost:4400',
    'http://api:4400',
    'http://10.1.2.3',
    'http://172.31.0.1',
    'http://192.168.1.1',
    'http://169.254.169.254',
    'http://[::1]:4400',
    'http://[fd00::1]',
    'http://engine.internal',
    undefined,
  ])('%s cannot, which is said with the remedy', (publicUrl) => {
    const { unavailable } = createReceiver({ publicUrl, apiUrl: BITBUCKET });
    expect(unavailable).toMatchObject({
      code: 'webhooks_unavailable',
      remedy: expect.stringContaining('PUBLIC_WEBHOOK_URL'),
    });
  });

  test('a simulated host on this machine reaches this machine', () => {
    const apiUrl = 'http://127.0.0.1:7990/2.0';
    expect(createReceiver({ publicUrl: 'http://127.0.0.1:4400', apiUrl }).unavailable).toBeNull();
    expect(createReceiver({ publicUrl: undefined, apiUrl }).unavailable).not.toBeNull();
  });

  test('our hook is known by its token, whatever stands in front of it', () => {
    const receiver = createReceiver({ publicUrl: 'https://new.example.com', apiUrl: BITBUCKET });
    expect(receiver.urlOf(TOKEN)).toBe(`https://new.example.com/v1/webhooks/bitbucket/${TOKEN}`);
    expect(receiver.isOurs(`https://old.example.com/v1/webhooks/bitbucket/${TOKEN}`, TOKEN)).toBe(true);
    expect(receiver.isOurs(`https://new.example.com/v1/webhooks/bitbucket/${TOKEN}b`, TOKEN)).toBe(false);
    expect(receiver.isOurs('', TOKEN)).toBe(false);
  });
});

describe('which events a hook subscribes to', () => {
  const offered = ['issue:created', 'pullrequest:created', 'repo:created', 'repo:fork', 'repo:push'];

  test('what the services need, of what Bitbucket offers for it; never issues', () => {
    expect(wantedEvents(['repositories', 'pull_requests', 'tickets'], offered)).toEqual([
      'pullrequest:created',
      'repo:created',
      'repo:push',
    ]);
    expect(wantedEvents(['pull_requests'], offered)).toEqual(['pullrequest:created', 'repo:created']);
    expect(wantedEvents(['tickets'], ['issue:created'])).toEqual([]);
  });

  test('are compared as sets: Bitbucket gives them in an order of its own', () => {
    expect(sameEvents(['a', 'b'], ['b', 'a'])).toBe(true);
    expect(sameEvents(['a', 'b'], ['b', 'b', 'a'])).toBe(true);
    expect(sameEvents(['a', 'b'], ['a'])).toBe(false);
    expect(sameEvents(['a'], ['a', 'b'])).toBe(false);
    expect(sameEvents(['a', 'b'], ['a', 'c'])).toBe(false);
  });
});
