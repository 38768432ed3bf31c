import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isSignedBy, signatureIn } from '../../../api/webhooks/signature.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const sign = (secret: string, body: Uint8Array) =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

/** Whether the header is taken for this body, as the receiver asks. */
function takes(secrets: string[], header: string | undefined, body: Uint8Array): boolean {
  const signature = signatureIn(header);
  return signature !== null && isSignedBy(secrets, signature, body);
}

// Vectors of the facts, section 5.3.
const SECRET = "It's a Secret to Everybody";
const SIGNATURE = 'sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9';
const JENKINS = new URL(
  '../../../../shared/bitbucket/fixtures/jenkinsci-bitbucket-branch-source-plugin/signed_payload.json',
  import.meta.url,
);

describe('the signature of a delivery', () => {
  test("is taken as Bitbucket's documentation makes it", () => {
    expect(takes([SECRET], SIGNATURE, bytes('Hello World!'))).toBe(true);
    expect(takes([SECRET], SIGNATURE, bytes('Hello World'))).toBe(false);
  });

  test.skipIf(!existsSync(JENKINS))("is taken as Jenkins' recorded payload has it", () => {
    const header = 'sha256=f205c729821c6954aff2afe72b965c34015b4baf96ea8ddc2cc44999c014a035';
    expect(takes(['Gkvl$k$wyNpQAF42'], header, readFileSync(JENKINS))).toBe(true);
  });

  test('is refused in every other form', () => {
    const body = bytes('{"repository":{}}');
    const right = sign('secret', body);
    expect(takes(['secret'], right, body)).toBe(true);
    expect(takes(['secret'], right.toUpperCase().replace('SHA256', 'sha256'), body)).toBe(true);
    const sha1 = `sha1=${createHmac('sha1', 'secret').update(body).digest('hex')}`;
    const forms = [
      undefined,
      '',
      'sha256=',
      right.slice('sha256='.length),
      right.slice(0, -1),
      `${right}0`,
      right.replace('sha256', 'sha512'),
      sha1,
      sha1.replace('sha1', 'sha256'),
      // two headers arrive as one
      `${right}, ${right}`,
      `${sha1}, ${right}`,
      `${right.slice(0, -1)}g`,
      ` ${right}`,
    ];
    for (const form of forms) expect(takes(['secret'], form, body), String(form)).toBe(false);
  });

  test('is refused when one bit of it or of the body differs, or the JSON was written anew', () => {
    const body = bytes('{"a": 1,  "b": 2}');
    const signature = signatureIn(sign('secret', body))!;
    for (let bit = 0; bit < signature.length * 8; bit += 1) {
      const bent = signature.slice();
      bent[bit >> 3]! ^= 1 << (bit & 7);
      expect(isSignedBy(['secret'], bent, body)).toBe(false);
    }
    for (let bit = 0; bit < body.length * 8; bit += 1) {
      const bent = body.slice();
      bent[bit >> 3]! ^= 1 << (bit & 7);
      expect(isSignedBy(['secret'], signature, bent)).toBe(false);
    }
    const anew = bytes(JSON.stringify(JSON.parse(new TextDecoder().decode(body))));
    expect(isSignedBy(['secret'], signature, anew)).toBe(false);
  });

  test('of either generation is taken during a rotation, and of no other', () => {
    const body = bytes('x');
    expect(takes(['new', 'old'], sign('new', body), body)).toBe(true);
    expect(takes(['new', 'old'], sign('old', body), body)).toBe(true);
    expect(takes(['new', 'old'], sign('oldest', body), body)).toBe(false);
    expect(takes([], sign('new', body), body)).toBe(false);
  });
});
