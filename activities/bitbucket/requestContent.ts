import type { BitbucketRequest, BitbucketWrite } from './client.ts';
import type { SendOptions } from './send.ts';

/** What a request sends beside its signature. */
export interface Content {
  method?: NonNullable<SendOptions['method']>;
  body?: string;
  headers: Record<string, string>;
}

export function contentOfGet({ etag, form }: BitbucketRequest): Content {
  const headers = etag === undefined ? {} : { 'if-none-match': etag };
  if (form === undefined) return { headers };
  return {
    method: 'POST',
    body: form,
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
  };
}

export function contentOfWrite({ method, body }: BitbucketWrite): Content {
  if (body === undefined) return { method, headers: {} };
  return { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}
