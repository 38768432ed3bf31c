import type { Host } from './host.ts';
import { createRenderCommit } from './renderCommit.ts';
import { createRenderPeople } from './renderPeople.ts';
import { createRenderPullRequest } from './renderPullRequest.ts';
import { createRenderRepository } from './renderRepository.ts';
import { createRenderTicket } from './renderTicket.ts';

/** Puts the renderers beside what they show. */
export function createHost(
  parts: Omit<Host, 'people' | 'repositories' | 'pullRequests' | 'commits' | 'tickets'>,
): Host {
  const { urls, world } = parts;
  const people = createRenderPeople(urls);
  const repositories = createRenderRepository(urls, parts.era);
  return {
    ...parts,
    people,
    repositories,
    pullRequests: createRenderPullRequest(urls, people, repositories),
    commits: createRenderCommit(urls, people, repositories, (email) => world.personByEmail(email)),
    tickets: createRenderTicket(urls, people, repositories),
  };
}
