import type { Credentials } from '../auth/credentials.ts';
import type { Clock } from '../clock.ts';
import type { GitStore } from '../git/store.ts';
import type { World } from '../model/world.ts';
import type { RenderCommit } from './renderCommit.ts';
import type { RenderPeople } from './renderPeople.ts';
import type { RenderPullRequest } from './renderPullRequest.ts';
import type { RenderRepository } from './renderRepository.ts';
import type { RenderTicket } from './renderTicket.ts';
import type { Urls } from './urls.ts';

export type Era = 'guide' | 'today';

/** What all endpoints stand on. */
export interface Host {
  era: Era;
  /** event keys that hooks of a single repository cannot have */
  workspaceOnlyEvents: readonly string[];
  world: World;
  git: GitStore;
  clock: Clock;
  credentials: Credentials;
  urls: Urls;
  people: RenderPeople;
  repositories: RenderRepository;
  pullRequests: RenderPullRequest;
  commits: RenderCommit;
  tickets: RenderTicket;
}
