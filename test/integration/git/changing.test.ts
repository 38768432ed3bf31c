import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../support/seededRandom.ts';
import { seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { storedHistory, storedRefs, toldHistory, toldRefs } from './history.ts';
import { createPlace, DIED, type Place, type Subject } from './place.ts';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.close());

const STEPS = 20;
const FIRST = 1_600_000_000;
/** Seconds between a commit and its parent: clocks of people differ by years. */
const APART = [60, 60, 60, 1, 0, -30, -86_400, -200_000_000];

/** A repository whose branches and tags move at random, to where they were before too. */
function createChanges({ git }: Subject, random: () => number) {
  const below = (count: number): number => Math.floor(random() * count);
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
  const dates = new Map<string, number>();
  const ever: string[] = [];
  let turn = 0;
  function commit(parents: readonly string[]): string {
    turn += 1;
    const at = parents.length === 0 ? FIRST : Math.max(...parents.map((one) => dates.get(one) ?? FIRST));
    const date = Math.max(1, at + (pick(APART) ?? 60));
    const tree = git.tree([{ name: `file-${String(turn)}`, content: `${String(turn)}\n` }]);
    const who = `Ann <ann@example.org> ${String(date)} +0000`;
    const text = [
      `tree ${tree}`,
      ...parents.map((one) => `parent ${one}`),
      `author ${who}`,
      `committer ${who}`,
      '',
      `${turn}\n`,
    ];
    const hash = git.object('commit', text.join('\n'));
    dates.set(hash, date);
    ever.push(hash);
    return hash;
  }
  const chain = (from: readonly string[]): string => {
    let tip = commit(from);
    for (let more = below(8); more > 0; more -= 1) tip = commit([tip]);
    return tip;
  };
  const refs = (): { name: string; hash: string }[] =>
    git
      .lines(['for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads', 'refs/tags'])
      .map((line) => {
        const [name = '', hash = ''] = line.split(' ');
        return { name, hash };
      });
  const set = (name: string, hash: string): void => void git.git(['update-ref', name, hash]);
  return function change(): void {
    const now = refs();
    const one = pick(now);
    const other = pick(now);
    const old = pick(ever);
    const what = below(9);
    if (one === undefined || other === undefined || old === undefined || what === 0) {
      set(`refs/heads/b${String(below(6))}`, chain(one === undefined ? [] : [one.hash]));
    } else if (what <= 2) set(one.name, chain([one.hash]));
    else if (what === 3) git.git(['update-ref', '-d', one.name]);
    else if (what === 4) set(one.name, other.hash);
    else if (what === 5) set(`refs/heads/b${String(below(6))}`, old);
    else if (what === 6) set(`refs/tags/t${String(below(4))}`, old);
    else if (what === 7)
      set(one.name, one.hash === other.hash ? chain([old]) : commit([one.hash, other.hash]));
    else set(one.name, chain([old]));
  };
}

test(
  'branches that move at random, clocks that disagree, workers that die: what is stored is what is there',
  async () => {
    for (const seed of seeds(2)) {
      const random = seededRandom(seed);
      const below = (count: number): number => Math.floor(random() * count);
      const subject = await place.subject(`changing-${String(seed)}`);
      // Now and then all branches are written anew, and it is asked by its uuid whether it is still the same one.
      const client = subject.shown;
      const change = createChanges(subject, random);
      for (let step = 0; step < STEPS; step += 1) {
        for (let more = 1 + below(3); more > 0; more -= 1) change();
        const importId = await subject.newImport();
        const worker = `w${String(below(3))}`;
        if (below(3) === 0) {
          const database = place.dyingDatabase(3 + below(6), below(2) === 0 ? 'before' : 'after');
          // With little to do it ends before its time comes.
          await place.importGit({ subject, importId, worker, client, database }).catch((error: unknown) => {
            expect(String(error)).toContain(DIED);
          });
          continue;
        }
        await place.importGit({ subject, importId, worker, client });
        const where = `seed ${String(seed)}, step ${String(step)}`;
        expect(await storedHistory(place, subject), where).toEqual(toldHistory(subject));
        expect(await storedRefs(place, subject), where).toEqual(toldRefs(subject));
      }
    }
  },
  seedsTimeoutMs(),
);
