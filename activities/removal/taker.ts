import type { Candidate, OwnedRepository } from '../../db/queries/removal/repositories.ts';
import { SERVICES, type Service, STREAMS_OF_SERVICE } from '../../workflows/words.ts';

/** Who takes a repository over, and what of it goes all the same. */
export interface Taker {
  integrationId: string;
  /** services whose records the taker does not bring in: nobody would keep them current */
  uncovered: Service[];
}

/**
 * Chooses who takes a repository over when the integration that fetches it is removed: whose services cover most of what
 * was read of it; of equals one that is active, then the oldest. `undefined`: nobody brings in anything that was read.
 */
export function chooseTaker({
  read,
  candidates,
}: Pick<OwnedRepository, 'read' | 'candidates'>): Taker | undefined {
  const services = SERVICES.filter((service) =>
    STREAMS_OF_SERVICE[service].some((stream) => read.includes(stream)),
  );
  const covered = (candidate: Candidate): number =>
    services.filter((service) => candidate.services.includes(service)).length;
  const [best] = candidates
    .filter((candidate) => covered(candidate) > 0)
    .toSorted((one, other) => covered(other) - covered(one) || Number(other.active) - Number(one.active));
  return best === undefined
    ? undefined
    : {
        integrationId: best.integrationId,
        uncovered: services.filter((service) => !best.services.includes(service)),
      };
}
