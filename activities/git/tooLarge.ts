import { EngineError } from '../engineError.ts';

/** A commit or tag with more than this is nobody's work; a worker that took it into memory would die of it, and the next one. */
export const MOST_OBJECT_BYTES = 16 * 1024 * 1024;
/** Files that one commit changes. The first commits of the largest known repositories have 400,000. */
export const MOST_FILES_OF_COMMIT = 500_000;

/** A commit or tag that no worker can hold. It will be as large each time. */
export class TooLarge extends EngineError {
  override readonly name = 'TooLarge';

  constructor(what: string) {
    super('TooLarge', {
      code: 'commit_too_large',
      message: `${what}. The largest that is imported: 16 MB, and 500,000 changed files.`,
      remedy:
        'Take it out of the history at Bitbucket and import again; or import with `commit_source` "api", which needs no clone.',
    });
  }
}
