import type { ChunkResult, StreamActivities } from '../../workflows/contracts/streams.ts';
import { BitbucketError, RepositoryGone } from '../bitbucket/errors.ts';
import type { ImportGit } from '../commits/commits.ts';

interface Parts extends Pick<StreamActivities, 'importChunk' | 'linkCommits'> {
  importGit: ImportGit;
}

/**
 * A small repository in one activity: of thousands of them each step of a workflow costs more than what it brings. Git
 * first, as its own activity does it, then a chunk of the API. The first time, the API's first page comes before the
 * commits: its records say which repository has the name, which git does not. `gitDone` in the answer: the next chunk is the API's
 * alone. Throws what the parts throw; tried again, git fetches what is new and the API goes on from its checkpoints.
 */
export const createSmallImport =
  ({ importGit, importChunk, linkCommits }: Parts): StreamActivities['importSmall'] =>
  async (input): Promise<ChunkResult> => {
    const { streams, ...repository } = input;
    let first: ChunkResult | undefined;

    async function readFirst(): Promise<void> {
      try {
        first = await importChunk({ ...repository, streams, linksLater: true, requests: 1 });
      } catch (error) {
        // What the API refuses says nothing of git; the chunk behind git meets it again.
        if (error instanceof RepositoryGone || !(error instanceof BitbucketError)) throw error;
      }
    }

    const git = await importGit(repository, readFirst);
    if (!git.done) return added(git, first);
    if (first?.done === true) {
      if (streams.includes('pull_requests')) await linkCommits(repository);
      return { ...added(first, git), gitDone: true };
    }
    const api = await importChunk({ ...repository, streams });
    return { ...added(added(api, git), first), gitDone: true };
  };

/** What came before counts too. */
const added = (result: ChunkResult, before: ChunkResult | undefined): ChunkResult => ({
  ...result,
  requests: result.requests + (before?.requests ?? 0),
  records: result.records + (before?.records ?? 0),
});
