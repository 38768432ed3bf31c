import type { RepositoryChange, RepositoryChanged } from '../git/repositoryChange.ts';
import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { PullRequest } from '../model/pullRequest.ts';
import type { Host } from '../rest/host.ts';
import { pullRequestPart } from '../webhooks/eventParts.ts';
import type { Events } from '../webhooks/events.ts';
import { pushPart } from '../webhooks/pushPart.ts';
import { changePullRequest, noteUpdate } from './changePullRequest.ts';
import { MutationError } from './mutation.ts';

/**
 * Changes the git side of a repository as a push does: `updated_on` moves, open pull requests from the branch go on with
 * its new head, and the webhooks hear of it all.
 */
export async function changeGit(
  { host, events }: { host: Host; events: Events },
  repository: Repository,
  change: RepositoryChange,
  actor: Person | null,
): Promise<RepositoryChanged> {
  if (repository.sharesGit) {
    const own = `${repository.gitKey}.of-${repository.uuid.slice(1, -1)}`;
    await host.git.copy(repository.gitKey, own);
    repository.gitKey = own;
    repository.sharesGit = false;
  }
  const changed = await host.git.mutate(repository.gitKey, change).catch((error: unknown) => {
    // The git store's own words say what cannot be done.
    throw new MutationError(error instanceof Error ? error.message : String(error));
  });
  if (changed.refs.length === 0) return changed;
  repository.mainBranch ??= 'main';
  repository.updatedOn = host.clock.nextMicros();
  host.repositories.forget(repository);
  const moved = changed.refs.flatMap((ref) => moveSources(host, repository, ref, actor));
  await events.tell('repo:push', { repository, actor }, async () => ({
    push: await pushPart(host, repository, changed.refs),
  }));
  for (const pullRequest of moved) {
    const parts = () => pullRequestPart(host, repository, pullRequest);
    await events.tell('pullrequest:push', { repository, actor }, parts);
    await events.tell('pullrequest:updated', { repository, actor }, parts);
  }
  return changed;
}

/** Open pull requests whose source branch got a new head. */
function moveSources(
  { clock }: Host,
  repository: Repository,
  { kind, name, before, after }: RepositoryChanged['refs'][number],
  actor: Person | null,
): PullRequest[] {
  if (kind !== 'branch' || before === null || after === null || name === repository.mainBranch) return [];
  const moved: PullRequest[] = [];
  for (const number of repository.pullRequests.numbers()) {
    if (repository.pullRequests.row(number).state !== 'OPEN') continue;
    const source = repository.pullRequests.get(number)?.source;
    if (source?.branch !== name || source.repository !== 'here') continue;
    const changed = changePullRequest(repository, number, (pullRequest) => {
      pullRequest.source = { ...pullRequest.source, hash: after };
      noteUpdate(pullRequest, clock.nextMicros(), actor, {});
    });
    moved.push(changed);
  }
  return moved;
}
