import fc from 'fast-check';
import type { ImportCommand } from '../../workflows/words.ts';

/** What an import is to those who command it, in a few lines: nothing of how it is done. */
export const REPOSITORIES = 2;
type Ended = 'completed' | 'completed_with_failures' | 'cancelled';

/** What is known of an import from outside. */
export interface Model {
  /** `open`: not ended; it is read unless the import is paused */
  repositories: ('open' | 'completed' | 'failed' | 'cancelled')[];
  /** those that were tried again */
  again: boolean[];
  paused: boolean;
  /** the run remembers that somebody resumed it, so that a lost answer may be asked for again */
  resumed: boolean;
  ended: Ended | null;
  /** commands that changed something */
  changes: Record<string, number>;
}

export type Said = ImportCommand | 'retry';
/** What happens to it. */
export type Step =
  | { do: 'say'; what: Said }
  | { do: 'say both'; what: [Said, Said] }
  | { do: 'restart while'; what: Said }
  | { do: 'chunk'; of: number; ends: 'more' | 'done' | 'fails' | 'limited' }
  | { do: 'restart workers' | 'lose the run' | 'lose both runs' };

export const SAID = ['pause', 'resume', 'cancel', 'retry'] as const satisfies Said[];
// Cancelling ends everything, so it comes seldom.
const anyWord = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('pause' as const, 'resume' as const, 'retry' as const) },
  { weight: 1, arbitrary: fc.constant('cancel' as const) },
);
const twoWords = fc.tuple(anyWord, fc.constantFrom(...SAID)).filter(([one, other]) => one !== other);
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('say' as const), what: anyWord }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('say both' as const), what: twoWords }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart while' as const), what: anyWord }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('chunk' as const),
      of: fc.nat({ max: REPOSITORIES - 1 }),
      ends: fc.constantFrom(
        'more' as const,
        'done' as const,
        'fails' as const,
        'fails' as const,
        'limited' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('restart workers' as const, 'lose the run' as const, 'lose both runs' as const),
    }),
  },
);

export const fresh = (): Model => ({
  repositories: Array.from({ length: REPOSITORIES }, () => 'open' as const),
  again: Array.from({ length: REPOSITORIES }, () => false),
  paused: false,
  resumed: false,
  ended: null,
  changes: {},
});

/** It ends with its last repository. */
export function end(model: Model): void {
  if (model.repositories.includes('open')) return;
  model.ended = model.repositories.includes('failed') ? 'completed_with_failures' : 'completed';
  Object.assign(model, { paused: false, resumed: false });
}

/** What the guide says: the refusal, or undefined; changes the model when there is none. */
export function say(model: Model, what: Said): string | undefined {
  const note = (): void => {
    model.changes[what] = (model.changes[what] ?? 0) + 1;
  };
  if (what === 'retry') {
    if (model.ended === 'cancelled') return 'import_ended';
    if (!model.repositories.includes('failed')) {
      const already = model.repositories.some((state, at) => state === 'open' && model.again[at] === true);
      return already ? undefined : 'nothing_failed';
    }
    for (const [at, state] of model.repositories.entries()) {
      if (state !== 'failed') continue;
      model.repositories[at] = 'open';
      model.again[at] = true;
    }
    model.ended = null;
    note();
    return undefined;
  }
  if (model.ended !== null) {
    return what === 'cancel' && model.ended === 'cancelled' ? undefined : 'import_ended';
  }
  if (what === 'cancel') {
    model.repositories = model.repositories.map((state) => (state === 'open' ? 'cancelled' : state));
    Object.assign(model, { ended: 'cancelled', paused: false, resumed: false });
    note();
    return undefined;
  }
  if (model.paused === (what === 'pause')) {
    return what === 'pause' || model.resumed ? undefined : 'import_not_paused';
  }
  Object.assign(model, { paused: what === 'pause', resumed: what === 'resume' });
  note();
  return undefined;
}
