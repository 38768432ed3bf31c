/**
 * Activities that call Bitbucket or run git. A queue of its own, so that a long download never
 * keeps a state change waiting. Derived from the workflow's queue, so that tests can run beside each other.
 */
export const bitbucketQueue = (ingestionQueue: string): string => `${ingestionQueue}-bitbucket`;
