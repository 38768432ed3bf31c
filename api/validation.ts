import type { Hook } from '@hono/zod-openapi';
import type { z } from 'zod';
import type { ApiEnv } from './dependencies.ts';
import { invalidRequest, notFound, type ProblemError } from './problem.ts';

const PLACES: Record<string, string> = {
  json: 'body',
  form: 'body',
  query: 'query',
  header: 'header',
  cookie: 'cookie',
};

/** One issue of zod as errors of ours. An unknown field is named by its own location. */
function errorsOf(place: string, issue: z.core.$ZodIssue): ProblemError[] {
  const location = [place, ...issue.path].map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      location: `${location}.${key}`,
      message: 'This field is not known.',
      fix: 'Leave it out; /openapi.json lists the fields.',
    }));
  }
  return [{ location, message: issue.message, fix: fixOf(issue) }];
}

function fixOf(issue: z.core.$ZodIssue): string {
  const own: unknown = 'params' in issue ? issue.params?.['fix'] : undefined;
  if (typeof own === 'string') return own;
  switch (issue.code) {
    case 'invalid_type':
      return `Give a value of type ${issue.expected}.`;
    case 'invalid_value':
      return `Give one of: ${issue.values.map(String).join(', ')}.`;
    case 'too_small':
      return `Give at least ${String(issue.minimum)}.`;
    case 'too_big':
      return `Give at most ${String(issue.maximum)}.`;
    case 'invalid_union':
      return 'Give one of the forms that /openapi.json describes.';
    default:
      return 'Give a value as /openapi.json describes it.';
  }
}

/**
 * What does not fit a route's schema: 422 for the body, 400 for query and headers. An id in the path that is no id
 * names nothing: 404, as for any other absent thing.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the hook of every route: its data may be anything
export const refuseInvalid: Hook<any, ApiEnv, any, any> = (result) => {
  if (result.success) return;
  if (result.target === 'param') throw notFound('thing at this address');
  const place = PLACES[result.target] ?? result.target;
  const errors = result.error.issues.flatMap((issue) => errorsOf(place, issue));
  throw invalidRequest(place === 'body' ? 422 : 400, errors);
};
