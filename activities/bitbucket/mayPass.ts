import { type BitbucketError, InvalidResponse, Unreachable, Upstream } from './errors.ts';

/** Trouble of Bitbucket's, or on the way there, that says nothing about what was asked for: it may pass by itself. */
export const mayPass = (error: unknown): error is BitbucketError =>
  error instanceof Upstream || error instanceof Unreachable || error instanceof InvalidResponse;
