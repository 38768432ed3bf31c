import { createHash } from 'node:crypto';

/** What a walk over commits follows from page to page: its heads are frozen when it begins. */
export interface CommitWalk {
  include: string[];
  exclude: string[];
  path: string | undefined;
}

const REMEMBERED = 5000;

/** The `ctx` of commit pages: 32 hex digits that stand for a walk on the host's side (facts 3.1). */
export function createCommitWalks(): {
  save(repository: string, walk: CommitWalk): string;
  /** Undefined when it was never made, or long ago. */
  load(repository: string, context: string): CommitWalk | undefined;
} {
  const walks = new Map<string, CommitWalk>();
  return {
    save(repository, walk) {
      const context = createHash('sha256')
        .update(JSON.stringify([repository, walk]))
        .digest('hex')
        .slice(0, 32);
      const key = `${repository}/${context}`;
      walks.delete(key);
      walks.set(key, walk);
      if (walks.size > REMEMBERED) walks.delete(walks.keys().next().value ?? '');
      return context;
    },
    load: (repository, context) => walks.get(`${repository}/${context}`),
  };
}
