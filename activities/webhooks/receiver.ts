import { BlockList, isIP } from 'node:net';
import type { Finding } from '../../workflows/words.ts';

const RECEIVER_PATH = '/v1/webhooks/bitbucket/';

const INSIDE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  INSIDE.addSubnet(network, prefix);
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  INSIDE.addSubnet(network, prefix, 'ipv6');
}

/** Whether only this machine, or its own network, reaches the host of a URL, as far as the name tells. */
function isInside(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const version = isIP(host);
  if (version === 0) return !host.includes('.') || /\.(localhost|local|internal)$/.test(host);
  return INSIDE.check(host, version === 6 ? 'ipv6' : 'ipv4');
}

/** Where Bitbucket delivers to. */
export interface Receiver {
  /** why there can be no webhooks in this installation; null: there can */
  unavailable: Finding | null;
  urlOf(token: string): string;
  /** By the token: the address in front of it may have been another when the hook was made. */
  isOurs(url: string, token: string): boolean;
}

/** `publicUrl`: the api's address as Bitbucket reaches it, without a slash at the end. `apiUrl`: Bitbucket's. */
export function createReceiver({
  publicUrl,
  apiUrl,
}: {
  publicUrl: string | undefined;
  apiUrl: string;
}): Receiver {
  return {
    unavailable: unavailable(publicUrl, apiUrl),
    urlOf: (token) => `${publicUrl ?? ''}${RECEIVER_PATH}${token}`,
    isOurs: (url, token) => url.endsWith(`${RECEIVER_PATH}${token}`),
  };
}

function unavailable(publicUrl: string | undefined, apiUrl: string): Finding | null {
  const remedy =
    'The operator must set PUBLIC_WEBHOOK_URL (or PUBLIC_URL) of the worker to the address under which Bitbucket reaches the api. Until then changes are found by polling.';
  if (publicUrl === undefined) {
    return {
      code: 'webhooks_unavailable',
      message: 'This installation has no address that Bitbucket could deliver webhooks to.',
      remedy,
    };
  }
  if (isInside(publicUrl) && !isInside(apiUrl)) {
    return {
      code: 'webhooks_unavailable',
      message: `Bitbucket cannot reach ${new URL(publicUrl).host}: it is an address inside this network.`,
      remedy,
    };
  }
  return null;
}
