import type { ChunkResult, StreamActivities } from '../../workflows/contracts/streams.ts';

/**
 * A small repository in one activity: of thousands of them each step of a workflow costs more than what it brings. Git
 * first, as its own activity does it, then a chunk of the API. `gitDone` in the answer: the next chunk is the API's alone.
 * Throws what the two throw; tried again, git fetches what is new and the API goes on from its checkpoints.
 */
export const createSmallImport =
  ({
    importGit,
    importChunk,
  }: Pick<StreamActivities, 'importGit' | 'importChunk'>): StreamActivities['importSmall'] =>
  async (input): Promise<ChunkResult> => {
    const { streams, ...repository } = input;
    const git = await importGit(repository);
    if (!git.done) return git;
    const api = await importChunk({ ...repository, streams });
    return { ...api, records: git.records + api.records, gitDone: true };
  };
