import type { Finding } from '../words.ts';
import type { OfIntegration } from './tenant.ts';
import type { Limited } from './waiting.ts';

/** Queue: bitbucket. Workspaces, projects and repositories, in bounded chunks that carry their place. */
export interface DiscoveryActivities {
  discoverChunk(input: OfIntegration & { cursor: string | null }): Promise<{
    cursor: string | null;
    workspaces: number;
    projects: number;
    repositories: number;
    limited?: Limited;
  }>;
  /**
   * Discovers repositories by their uuids at Bitbucket, one request each; `left`: those that a limit kept it from. One that
   * the credential does not see is passed over.
   */
  lookUpRepositories(
    input: OfIntegration & { uuids: string[] },
  ): Promise<{ left: string[]; found: number; limited?: Limited }>;
  finishDiscovery(input: OfIntegration & { outcome: 'done' | 'failed'; error?: Finding }): Promise<void>;
}
