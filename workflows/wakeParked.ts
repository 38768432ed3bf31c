import { tell } from './import/tell.ts';
import { syncRepositoryWorkflowId } from './ids.ts';
import { changed } from './messages.ts';

/** What made syncs of a repository fail may be over: the run that waits for its next attempt begins it now. */
export const wakeParked = (repositoryId: string): Promise<void> =>
  tell(syncRepositoryWorkflowId(repositoryId), (handle) =>
    // Nothing new is wanted of it; a person stands behind a new credential, and behind an import.
    handle.signal(changed, { services: [], by: 'person' }),
  );
