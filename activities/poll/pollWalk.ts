import { readPolledWorkspace } from '../../db/queries/poll/workspaces.ts';
import type { Place } from './place.ts';
import { inTransaction, move, nextWorkspace, type PollContext, type PollStep } from './pollContext.ts';
import { askAuthor } from './steps/askAuthor.ts';
import { askRepository } from './steps/askRepository.ts';
import { askWitness } from './steps/askWitness.ts';
import { readMembers } from './steps/readMembers.ts';
import { readPushes } from './steps/readPushes.ts';
import { rotate } from './steps/rotate.ts';
import { tellMissed } from './steps/tellMissed.ts';

/**
 * One round over all that an integration keeps current: a step is at most one request, and what it found is told to the
 * repositories' syncs before the round moves on. A hint too many costs a look, so a step may be done twice.
 *
 *  - `missed`: what was missed while nothing was fetched.
 *  - Of each workspace `pushes`: its list of repositories by `updated_on`, down to where the last round began; then its
 *    changed pull requests (they do not move a repository's `updated_on`, facts 3.5) by `authors` or by `repositories`,
 *    whichever is cheaper. `members` are listed once a day, as authors. Behind a refused list `witnesses` say whether the
 *    workspace is refused altogether.
 *  - `rotation`: a few repositories, those that were not looked at for longest: the newest entries of the activity feed
 *    (votes and pull requests of strangers), and git.
 */
export function createPollWalk(context: PollContext) {
  const workspaceOf = (workspaceId: string) =>
    inTransaction(context, (tx) => readPolledWorkspace(tx, { ...context.integration, workspaceId }));

  return {
    /** At most one request, and what it found told. Throws the client's errors. */
    async step(place: Place): Promise<PollStep> {
      if (place.step === 'missed') return tellMissed(context, place);
      if (place.step === 'rotation') return rotate(context, place);
      const workspace = place.workspaceId === null ? undefined : await workspaceOf(place.workspaceId);
      // Its last repository was removed meanwhile.
      if (workspace === undefined) return move(await nextWorkspace(context, place));
      switch (place.step) {
        case 'pushes':
          return readPushes(context, place, workspace);
        case 'witnesses':
          return askWitness(context, place, workspace);
        case 'members':
          return readMembers(context, place, workspace);
        case 'authors':
          return askAuthor(context, place, workspace);
        case 'repositories':
          return askRepository(context, place, workspace);
      }
    },
  };
}
