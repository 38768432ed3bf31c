import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideList, type VanishingRules } from '../../../activities/presence/decideList.ts';

const HOUR = 60 * 60_000;
const RULES: VanishingRules = { goneAfterMs: HOUR, atLeast: 1 };

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => `repo-${String(n + from).padStart(4, '0')}`);

/** What is kept of a workspace between its lists, as the rows keep it. */
function createWorkspace(repositories: readonly string[], rules = RULES) {
  const missingSince = new Map<string, number>();
  const asked = new Set<string>();
  const gone = new Set<string>();
  const see = (listed: Iterable<string>): void => {
    for (const id of listed) {
      missingSince.delete(id);
      asked.delete(id);
      gone.delete(id);
    }
  };
  return {
    asked,
    gone,
    /** A list that was read to its end; `exists` is what a look-up of one by itself says. */
    list(atMs: number, listed: ReadonlySet<string>, exists: (id: string) => boolean): void {
      see(listed);
      const known = repositories.filter((id) => !gone.has(id));
      const missing = known
        .filter((id) => !listed.has(id))
        .map((id) => {
          const since = missingSince.get(id);
          return { repositoryId: id, missingForMs: since === undefined ? null : atMs - since };
        });
      const decision = decideList({ known: known.length, missing, asked: asked.size > 0 }, rules);
      for (const id of decision.fresh) missingSince.set(id, atMs);
      for (const id of decision.ask) asked.add(id);
      for (const id of decision.suspects) {
        if (exists(id)) see([id]);
        else gone.add(id);
      }
    },
    /** A list that broke off: what was on its pages was seen, and it says nothing of the rest. */
    breakOff: (listed: Iterable<string>): void => see(listed),
  };
}

const count = fc.integer({ min: 1, max: 120 });
const pause = fc.integer({ min: 0, max: 8 * HOUR });
/** Lists that a host in trouble gives of a workspace where everything is still there. */
const trouble = fc.record({
  kind: fc.constantFrom('broken', 'refused', 'empty', 'partial', 'whole'),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: fc.integer({ min: 1, max: 9_999 }),
  pause,
});

/** The same part of the repositories for the same seed. */
const part = (all: readonly string[], share: number, seed: number): string[] =>
  all.filter((_, index) => ((index * 7919 + seed * 104_729) % 1_000) / 1_000 < share);

describe('what a list that lacks repositories proves', () => {
  test('no sequence of broken, refused, empty and partial lists marks anything that is there', () => {
    fc.assert(
      fc.property(count, fc.array(trouble, { maxLength: 12 }), (size, lists) => {
        const all = names(size);
        const workspace = createWorkspace(all);
        let now = 0;
        for (const { kind, share, seed, pause: wait } of lists) {
          now += wait;
          if (kind === 'broken') workspace.breakOff(part(all, share, seed));
          if (kind === 'empty') workspace.list(now, new Set(), () => true);
          if (kind === 'partial') workspace.list(now, new Set(part(all, share, seed)), () => true);
          if (kind === 'whole') workspace.list(now, new Set(all), () => true);
        }
        expect([...workspace.gone]).toEqual([]);
      }),
    );
  });

  test('nor do empty lists and those that lack too much, should every look-up fail besides', () => {
    fc.assert(
      fc.property(
        count,
        fc.array(
          trouble.filter(({ kind }) => kind !== 'whole'),
          { maxLength: 12 },
        ),
        (size, lists) => {
          const all = names(size);
          const workspace = createWorkspace(all);
          const most = Math.max(RULES.atLeast, Math.floor(size / 10));
          let now = 0;
          for (const { kind, share, seed, pause: wait } of lists) {
            now += wait;
            const listed = part(all, share, seed);
            if (kind === 'broken') workspace.breakOff(listed);
            if (kind === 'empty') workspace.list(now, new Set(), () => false);
            if (kind === 'partial' && size - listed.length > most)
              workspace.list(now, new Set(listed), () => false);
          }
          expect([...workspace.gone]).toEqual([]);
        },
      ),
    );
  });

  test('two full lists that agree, an hour apart, mark what is not there, whatever came before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 6, max: 120 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(trouble, { maxLength: 6 }),
        (size, wanted, before) => {
          const deleted = Math.min(wanted, Math.max(RULES.atLeast, Math.floor(size / 10)));
          const all = names(size);
          const left = new Set(all.slice(deleted));
          const exists = (id: string): boolean => left.has(id);
          const workspace = createWorkspace(all);
          let now = 0;
          for (const { kind, share, seed, pause: wait } of before) {
            now += wait;
            if (kind === 'broken') workspace.breakOff(part(all, share, seed));
            if (kind === 'whole') workspace.list(now, new Set(all), () => true);
          }
          workspace.list((now += HOUR), left, exists);
          const early = [...workspace.gone];
          workspace.list((now += HOUR - 1), left, exists);
          expect([...workspace.gone]).toEqual(early);
          workspace.list(now + 1, left, exists);
          expect([...workspace.gone].toSorted()).toEqual(all.slice(0, deleted));
        },
      ),
    );
  });

  test('one that is seen in between begins anew', () => {
    const all = names(20);
    const workspace = createWorkspace(all);
    const without = new Set(all.slice(1));
    workspace.list(0, without, () => false);
    workspace.breakOff(['repo-0000']);
    workspace.list(2 * HOUR, without, () => false);
    expect([...workspace.gone]).toEqual([]);
    workspace.list(3 * HOUR, without, () => false);
    expect([...workspace.gone]).toEqual(['repo-0000']);
  });

  test.each([
    // more than a tenth, and more than one
    { known: 100, vanished: 11, asks: true },
    { known: 100, vanished: 10, asks: false },
    { known: 20, vanished: 3, asks: true },
    { known: 20, vanished: 2, asks: false },
    { known: 6, vanished: 2, asks: true },
    { known: 6, vanished: 1, asks: false },
    // an empty list is no proof, however little it lacks
    { known: 3, vanished: 3, asks: true },
    { known: 1, vanished: 1, asks: true },
  ])('$vanished of $known at once: asks $asks', ({ known, vanished, asks }) => {
    const all = names(known);
    const workspace = createWorkspace(all);
    const left = new Set(all.slice(vanished));
    workspace.list(0, left, () => false);
    expect(workspace.asked.size).toBe(0);
    workspace.list(HOUR, left, () => false);
    expect([workspace.asked.size, workspace.gone.size]).toEqual(asks ? [vanished, 0] : [0, vanished]);
  });

  test('two lists that each lack a third are believed in nothing, though they agree on little', () => {
    const all = names(60);
    const workspace = createWorkspace(all);
    workspace.list(0, new Set(all.slice(20)), () => false);
    workspace.list(2 * HOUR, new Set([...all.slice(0, 16), ...all.slice(36)]), () => false);
    expect([workspace.gone.size, workspace.asked.size]).toEqual([0, 0]);
  });

  test('while a person is asked nothing else is marked', () => {
    const missing = [{ repositoryId: 'one', missingForMs: HOUR }];
    expect(decideList({ known: 200, missing, asked: true }, RULES)).toEqual({
      fresh: [],
      ask: [],
      suspects: [],
    });
  });
});
