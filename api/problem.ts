import { z } from '@hono/zod-openapi';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** One thing wrong with a request: where it is, what it is, and how to mend it. */
const problemError = z
  .strictObject({
    location: z.string().meta({ description: 'e.g. `body.name`, `query.limit`, `header.Idempotency-Key`' }),
    message: z.string(),
    fix: z.string(),
  })
  .openapi('ProblemError');
export type ProblemError = z.infer<typeof problemError>;

/** RFC 9457, with a `code` for programs, a `fix` for people, and the request's id for the operator. */
export const problemSchema = z
  .strictObject({
    type: z.string().meta({ description: 'names the code: `urn:bucket-brigade:problem:` + code' }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({
      description:
        'switch on this, never on texts. 400 `malformed_json`, `event_missing`; 401 `not_authenticated`, ' +
        '`signature_invalid`; 403 `role_not_sufficient`, `other_site`; 404 `not_found`, `integration_gone`; 409 among ' +
        'others `needs_connection`, `needs_credential`, `needs_create`, `import_needs_create`, `already_created`, ' +
        '`paused`, `integration_paused`, `integration_not_active`, `disconnecting`, `name_taken`, ' +
        '`changed_meanwhile`, `confirm_mismatch`, `nothing_to_import`, `nothing_failed`, `import_ended`, ' +
        '`import_cancelling`, `import_not_paused`, `not_discovered`, `not_imported`, `repository_gone`, ' +
        '`repository_out_of_reach`, `repository_being_removed`, `oauth_not_configured`, `request_under_way`; 413 ' +
        '`body_too_large`; 415 `unsupported_media_type`; 422 among others `invalid_request`, `name_invalid`, ' +
        '`nothing_chosen`, `service_not_allowed`, `confirm_missing`, `idempotency_key_reused`; 429 ' +
        '`too_many_streams`; 503 `unavailable`, and `worker_unavailable`, `commands_waiting`, `answer_lost`, after ' +
        'which the command may still be carried out. More may come',
    }),
    detail: z.string().meta({ description: 'what happened, to what' }),
    fix: z.string().meta({ description: 'what the caller can do about it' }),
    errors: z.array(problemError),
    request_id: z.string(),
  })
  .openapi('Problem');

export const PROBLEM_TYPE = 'application/problem+json';

export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503;

const TITLES: Record<ProblemStatus, string> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict with the present state',
  413: 'Body too large',
  415: 'Unsupported media type',
  422: 'Request not understood',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Not available at the moment',
};

interface ProblemOptions {
  status: ProblemStatus;
  code: string;
  detail: string;
  fix: string;
  errors?: ProblemError[];
  /** further response headers, e.g. `Retry-After` */
  headers?: Record<string, string>;
  /** for the log only */
  cause?: unknown;
}

/** Thrown anywhere in a request; the app turns it into a problem+json answer. Never carries a secret. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: ProblemStatus;
  readonly code: string;
  readonly fix: string;
  readonly errors: ProblemError[];
  readonly headers: Record<string, string>;

  constructor(options: ProblemOptions) {
    super(options.detail, { cause: options.cause });
    this.status = options.status;
    this.code = options.code;
    this.fix = options.fix;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
  }
}

/** The answer for a problem. */
export function problemResponse(problem: Problem, requestId: string): Response {
  const status: ContentfulStatusCode = problem.status;
  const body: z.infer<typeof problemSchema> = {
    type: `urn:bucket-brigade:problem:${problem.code}`,
    title: TITLES[problem.status],
    status,
    code: problem.code,
    detail: problem.message,
    fix: problem.fix,
    errors: problem.errors,
    request_id: requestId,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': PROBLEM_TYPE, ...problem.headers },
  });
}

/** The same for what is not there and what belongs to somebody else. */
export const notFound = (what: string): Problem =>
  new Problem({
    status: 404,
    code: 'not_found',
    detail: `There is no such ${what}.`,
    fix: 'Check the id; a list of what there is can be read with the same key.',
  });

/** No operation has this path. */
export const noSuchAddress = (): Problem =>
  new Problem({
    status: 404,
    code: 'not_found',
    detail: 'There is no such address.',
    fix: 'Check the path; /docs and /openapi.json list those there are.',
  });

const NOT_REACHABLE = [
  'unavailable',
  'A part of the service that this request needs is not reachable.',
] as const;

const UNAVAILABLE = {
  Postgres: NOT_REACHABLE,
  write: [
    'unavailable',
    'A part of the service that this request needs did not answer in time; what it asks for may still be carried out.',
  ],
  Temporal: NOT_REACHABLE,
  worker: ['worker_unavailable', 'No worker took up the command in time; it may still be carried out.'],
  commands: [
    'commands_waiting',
    'As many commands wait for a worker as may; what this one asks for may be among them.',
  ],
  answer: [
    'answer_lost',
    'The connection broke before the answer came; the command may still be carried out.',
  ],
} as const;

/** Behind these the command may still be waiting. */
const JOINS: ReadonlySet<keyof typeof UNAVAILABLE> = new Set(['worker', 'commands', 'answer']);

/** `cause`: what was met, for the log. The answer does not tell one part from another. */
export const unavailable = (what: keyof typeof UNAVAILABLE, cause?: unknown): Problem =>
  new Problem({
    status: 503,
    code: UNAVAILABLE[what][0],
    detail: UNAVAILABLE[what][1],
    fix: `Send the request again after the time in Retry-After${JOINS.has(what) ? ', with the same Idempotency-Key if it had one: it then waits for this one' : ''}.`,
    headers: { 'Retry-After': '2' },
    cause,
  });

/** Wrong fields of a request, all at once. */
export const invalidRequest = (status: 400 | 422, errors: ProblemError[]): Problem =>
  new Problem({
    status,
    code: 'invalid_request',
    detail: errors.map((error) => `${error.location}: ${error.message}`).join('; '),
    fix: 'Mend what `errors` lists, and send the request again.',
    errors,
  });
