import type { PauseReason } from '../inputs.ts';

interface Paused {
  state: 'paused' | 'needs_credential';
  /** for the row: a sentence's beginning */
  why: string;
  /** for the operator */
  doing: string;
}

/** How a pause is shown, by its reason. */
export const PAUSED: Record<PauseReason, Paused> = {
  person: { state: 'paused', why: 'A person paused the import', doing: 'paused by a person' },
  integration: {
    state: 'paused',
    why: 'The integration is paused',
    doing: 'paused with its integration',
  },
  needs_credential: {
    state: 'needs_credential',
    why: 'Waits for a new credential: Bitbucket refused the old one',
    doing: 'waits for a new credential',
  },
};
