import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCommitGraph } from '../../../activities/pullRequestCommits/commitGraph.ts';

type History = Record<string, string[]>;

const hashOf = (name: number): string => name.toString(16).padStart(40, '0');

function graphOf(history: History) {
  const graph = createCommitGraph();
  for (const hash of Object.keys(history).toSorted()) graph.add(hash, history[hash] ?? []);
  return graph.build();
}

/** The definition, plainly: what the others reach and the first does not. */
function plainSide(history: History, merge: string): Set<string> {
  const reach = (starts: string[]): Set<string> => {
    const found = new Set<string>();
    const open = [...starts];
    for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
      if (found.has(hash) || history[hash] === undefined) continue;
      found.add(hash);
      open.push(...(history[hash] ?? []));
    }
    return found;
  };
  const [first = '', ...others] = history[merge] ?? [];
  const reached = reach([first]);
  return new Set([...reach(others)].filter((hash) => !reached.has(hash)));
}

/** Any history: each commit has up to three parents among those before it; the hashes tell nothing of the order. */
const histories = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 2, maxLength: 40 })
  .chain((parents) =>
    fc
      .shuffledSubarray(
        parents.map((_, index) => index),
        { minLength: parents.length },
      )
      .map((order) => {
        const history: History = {};
        parents.forEach((list, index) => {
          const chosen = new Set(index === 0 ? [] : list.map((parent) => parent % index));
          history[hashOf(order[index]! + 1)] = [...chosen].map((parent) => hashOf(order[parent]! + 1));
        });
        return history;
      }),
  );

describe('what a merge brought in', () => {
  test('is what its other parents reach and its first does not, in any history', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const graph = graphOf(history);
        for (const [merge, parents] of Object.entries(history)) {
          const side = graph.side(merge);
          if (parents.length < 2) expect(side).toBeUndefined();
          else {
            expect(new Set(side)).toEqual(plainSide(history, merge));
            expect(new Set(side).size).toBe(side?.length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('comes newest first: no commit before one that leads to it', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const graph = graphOf(history);
        for (const merge of Object.keys(history)) {
          const side = graph.side(merge) ?? [];
          const early = side.filter((hash, at) =>
            history[hash]?.some((parent) => side.indexOf(parent) >= 0 && side.indexOf(parent) < at),
          );
          expect(early).toEqual([]);
        }
      }),
    );
  });

  const [root, main, work, more, merge] = [1, 2, 3, 4, 5].map(hashOf) as [
    string,
    string,
    string,
    string,
    string,
  ];

  test('leaves out what came over from the destination into the branch', () => {
    // work, then the destination merged into it (more), then merged
    const history = {
      [root]: [],
      [main]: [root],
      [work]: [root],
      [more]: [work, main],
      [merge]: [main, more],
    };
    expect(graphOf(history).side(merge)).toEqual([more, work]);
  });

  test('is not known where a parent, or the merge, is not stored', () => {
    const history = { [root]: [], [main]: [root], [merge]: [main, work] };
    expect(graphOf(history).side(merge)).toBeUndefined();
    expect(graphOf(history).side(work)).toBeUndefined();
    expect(graphOf({ ...history, [work]: [root] }).side(merge)).toEqual([work]);
  });

  test('is not known of a part of a history where a parent on the way is not in it', () => {
    const part = { [main]: [root], [work]: [root], [merge]: [main, work] };
    expect(graphOf(part).side(merge)).toEqual([work]);
    expect(graphOf(part).side(merge, { isPartial: true })).toBeUndefined();
    // Both sides met above it.
    const met = { [main]: [root], [work]: [main], [merge]: [main, work] };
    expect(graphOf(met).side(merge, { isPartial: true })).toEqual([work]);
  });

  test('commits out of order are a mistake of ours, not another history', () => {
    const graph = createCommitGraph();
    graph.add(main, []);
    expect(() => graph.add(root, [])).toThrow(/by their hashes/);
  });
});

test('a straight line of 150,000 commits is no deep recursion, and whole', () => {
  const [line, from] = [150_000, 100_000];
  const graph = createCommitGraph();
  graph.add(hashOf(1), [hashOf(from), hashOf(2)]);
  for (let at = 2; at <= line; at += 1) graph.add(hashOf(at), at === line ? [] : [hashOf(at + 1)]);
  const side = graph.build().side(hashOf(1));
  expect(side).toEqual(Array.from({ length: from - 2 }, (_, index) => hashOf(index + 2)));
});
