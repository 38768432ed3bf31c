import { createHash } from 'node:crypto';

/**
 * The id of a delivery: a UUID of version 8 (RFC 9562 section 5.8) made of hook, event and body. What the signature does
 * not cover, the request's id and the attempt above all, makes no other delivery of it.
 */
export function deliveryId(webhookId: string, eventKey: string, body: Uint8Array): string {
  const bytes = createHash('sha256')
    .update(`${webhookId}\n${eventKey}\n`)
    .update(body)
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
