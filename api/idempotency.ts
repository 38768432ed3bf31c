import type { MiddlewareHandler } from 'hono';
import {
  claimIdempotencyKey,
  keepIdempotentAnswer,
  loosenIdempotencyKey,
  releaseIdempotencyKey,
} from '../db/queries/api/idempotency.ts';
import { createAnswerBox } from './answerBox.ts';
import type { ApiEnv } from './dependencies.ts';
import { invalidRequest, Problem } from './problem.ts';
import { logOf } from './requestLog.ts';
import { wasAnswered } from './temporalProblems.ts';

/** Headers of an answer that belong to it, whoever asks again. */
const KEPT_HEADERS = ['content-type', 'location', 'cache-control'];
// Visible ASCII, as the draft of the header's RFC has it for a string.
const KEY_FORM = /^[\u0021-\u007e]{1,200}$/;

/**
 * `Idempotency-Key`: the first request with a key is carried out and its answer kept for 24 hours; the same again gets
 * the same answer. Another body: 422. The first still under way: 409. What was refused did nothing, so it is not
 * kept, and the key can be used again. Where nobody knows (5xx) the same request goes on with what the first one began.
 * `operation`: method and route pattern.
 */
export function keepAnswers(operation: string): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = c.req.header('Idempotency-Key');
    if (key === undefined) return next();
    if (!KEY_FORM.test(key)) throw malformedKey();
    const { dependencies, principal } = c.var;
    const { database, idempotencySecret } = dependencies;
    const box = createAnswerBox(idempotencySecret);
    const context = `${principal.organizationId} ${key}`;
    const claim = await database.transaction(principal.organizationId, async (tx) =>
      claimIdempotencyKey(tx, {
        organizationId: principal.organizationId,
        key,
        operation,
        fingerprint: box.fingerprint(`${c.req.path}${new URL(c.req.url).search}`, await c.req.text()),
      }),
    );
    if (claim.state === 'other') throw otherRequest();
    if (claim.state === 'under_way') throw underWay();
    if (claim.state === 'answered') {
      const { headers, body } = claim.answer;
      return new Response(body === null ? null : box.open(body, context), {
        status: claim.status,
        headers: { ...headers, 'Idempotency-Replayed': 'true' },
      });
    }
    const { since, day, firstAt, ageMs } = claim;
    c.set('claim', { key, day, firstAt, ageMs });
    await next();
    const { status } = c.res;
    const done = status >= 200 && status < 300;
    const body = done ? await c.res.clone().text() : '';
    // Also where it began nothing, or ended and what came behind failed: one before it may have begun, and it has.
    const isOpen = status >= 500 && !wasAnswered(c.error);
    await database
      .transaction(principal.organizationId, (tx) => {
        if (done) {
          const kept = { headers: keptHeaders(c.res), body: body === '' ? null : box.close(body, context) };
          return keepIdempotentAnswer(tx, { key, since, status, answer: kept });
        }
        return isOpen ? loosenIdempotencyKey(tx, { key, since }) : releaseIdempotencyKey(tx, { key, since });
      })
      // What was asked for is done; only its repetition is not remembered. The claim ends by itself.
      .catch((error: unknown) =>
        logOf(c).warn({ error }, 'The answer of an idempotent request could not be kept'),
      );
    return undefined;
  };
}

const keptHeaders = ({ headers }: Response): Record<string, string> =>
  Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );

const malformedKey = (): Problem =>
  invalidRequest(400, [
    {
      location: 'header.Idempotency-Key',
      message: 'Not 1 to 200 visible ASCII characters.',
      fix: 'Give for example a UUID.',
    },
  ]);

const otherRequest = (): Problem =>
  new Problem({
    status: 422,
    code: 'idempotency_key_reused',
    detail: 'This Idempotency-Key was used for another request.',
    fix: 'Use a new key for a new request; the same key only to repeat the same one.',
  });

const underWay = (): Problem =>
  new Problem({
    status: 409,
    code: 'request_under_way',
    detail: 'The first request with this Idempotency-Key is still under way.',
    fix: 'Send it again after the time in Retry-After.',
    headers: { 'Retry-After': '1' },
  });
