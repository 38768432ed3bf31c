/** The commits of a repository and their parents, about 40 bytes each, so that a million fit beside everything else. */
export interface CommitGraph {
  /**
   * What a merge brought in: the commits that its second parent (and any further one) leads to and its first does not,
   * newest first by their distance from the root. Undefined where the merge or a parent of it is not here. `isPartial`:
   * also where a parent is not here that was met on the way, behind which may be what belongs to both sides.
   */
  side(merge: string, options?: { isPartial: boolean }): string[] | undefined;
}

const HASH_BYTES = 20;
/** Hashes of a block of memory: 1.3 MB, so that little stands empty and nothing is ever copied into a larger one. */
const BLOCK = 65_536;
const FIRST = 1;
const OTHER = 2;

/** Takes commits in the order of their hashes; `build` makes the graph. */
export function createCommitGraph(): {
  add(hash: string, parents: readonly string[]): void;
  build(): CommitGraph;
} {
  const hashes = createHashList();
  const parentHashes = createHashList();
  const parentCounts: number[] = [];
  let last = '';

  return {
    add(hash, parents) {
      if (hash <= last || hash.length !== HASH_BYTES * 2)
        throw new Error('Commits must come by their hashes.');
      last = hash;
      hashes.add(hash);
      parentCounts.push(parents.length);
      for (const parent of parents) parentHashes.add(parent);
    },
    build: () => graphOf(hashes, linkParents(hashes, parentCounts, parentHashes)),
  };
}

interface HashList {
  length(): number;
  add(hash: string): void;
  /** the hash at a place, in hexadecimal digits */
  at(place: number): string;
  /** the place of a hash, where they were added in order; -1: it is not here */
  find(hash: Buffer): number;
  /** all of them in order, and lets go of their memory behind it */
  take(each: (hash: Buffer, place: number) => void): void;
}

function createHashList(): HashList {
  const blocks: Buffer[] = [];
  let length = 0;
  const blockOf = (place: number): Buffer => blocks[Math.floor(place / BLOCK)] ?? Buffer.alloc(0);
  const startOf = (place: number): number => (place % BLOCK) * HASH_BYTES;
  return {
    length: () => length,
    add(hash) {
      if (length % BLOCK === 0) blocks.push(Buffer.allocUnsafeSlow(BLOCK * HASH_BYTES));
      blockOf(length).write(hash, startOf(length), 'hex');
      length += 1;
    },
    at: (place) => blockOf(place).toString('hex', startOf(place), startOf(place) + HASH_BYTES),
    find(hash) {
      let low = 0;
      let high = length - 1;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const start = startOf(middle);
        const order = blockOf(middle).compare(hash, 0, HASH_BYTES, start, start + HASH_BYTES);
        if (order === 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle - 1;
      }
      return -1;
    },
    take(each) {
      for (let place = 0; place < length; place += 1) {
        each(blockOf(place).subarray(startOf(place), startOf(place) + HASH_BYTES), place);
        if ((place + 1) % BLOCK === 0) blocks[Math.floor(place / BLOCK)] = Buffer.alloc(0);
      }
      blocks.length = 0;
      length = 0;
    },
  };
}

/** The parents of commit `i` are `of[from[i] … from[i + 1])`, as places; -1 is one that is not here. */
interface Parents {
  from: Int32Array;
  of: Int32Array;
}

function linkParents(all: HashList, counts: readonly number[], hashes: HashList): Parents {
  const from = new Int32Array(counts.length + 1);
  counts.forEach((count, at) => {
    from[at + 1] = (from[at] ?? 0) + count;
  });
  const of = new Int32Array(hashes.length());
  hashes.take((hash, at) => {
    of[at] = all.find(hash);
  });
  return { from, of };
}

function graphOf(all: HashList, parents: Parents): CommitGraph {
  const generations = generationsOf(parents);
  const paint = new Uint8Array(generations.length);
  const parentsOf = (commit: number): Int32Array =>
    parents.of.subarray(parents.from[commit], parents.from[commit + 1]);

  /**
   * Paints both sides downwards, highest generation first: a commit that is taken has every colour it will ever get,
   * since whatever leads to it has a higher generation and was taken before. Ends when nothing of one colour is left.
   * A parent that is not here is none, and told of by `isCut`.
   */
  function exclusive(first: number, others: Iterable<number>): { found: number[]; isCut: boolean } {
    const queue = createHeap((commit) => generations[commit] ?? 0);
    const touched: number[] = [];
    const found: number[] = [];
    let open = 0;
    let isCut = false;
    function colour(commit: number, more: number): void {
      if (commit < 0) {
        isCut = true;
        return;
      }
      const before = paint[commit] ?? 0;
      const after = before | more;
      if (after === before) return;
      paint[commit] = after;
      if (before === 0) {
        queue.push(commit);
        touched.push(commit);
      }
      open += Number(after === OTHER) - Number(before === OTHER);
    }
    colour(first, FIRST);
    for (const other of others) colour(other, OTHER);
    while (open > 0) {
      const commit = queue.pop();
      if (commit === undefined) break;
      const colours = paint[commit] ?? 0;
      if (colours === OTHER) {
        open -= 1;
        found.push(commit);
      }
      for (const parent of parentsOf(commit)) colour(parent, colours);
    }
    for (const commit of touched) paint[commit] = 0;
    return { found, isCut };
  }

  return {
    side(merge, { isPartial } = { isPartial: false }) {
      const at = all.find(Buffer.from(merge, 'hex'));
      if (at < 0) return undefined;
      const [first, ...others] = parentsOf(at);
      if (first === undefined || first < 0 || others.length === 0 || others.includes(-1)) return undefined;
      const { found, isCut } = exclusive(first, others);
      return isCut && isPartial ? undefined : found.map((commit) => all.at(commit));
    },
  };
}

/** How many commits the longest way to a root has: always more than that of any parent. */
function generationsOf({ from, of }: Parents): Int32Array {
  const generations = new Int32Array(from.length - 1);
  const stack: number[] = [];
  for (let start = 0; start < generations.length; start += 1) {
    stack.push(start);
    for (let commit = stack.at(-1); commit !== undefined; commit = stack.at(-1)) {
      let highest = 0;
      let waits = false;
      for (let at = from[commit] ?? 0; at < (from[commit + 1] ?? 0); at += 1) {
        const parent = of[at] ?? -1;
        if (parent < 0 || generations[commit] !== 0) continue;
        const generation = generations[parent] ?? 0;
        if (generation === 0) {
          stack.push(parent);
          waits = true;
        }
        highest = Math.max(highest, generation);
      }
      if (waits) continue;
      if (generations[commit] === 0) generations[commit] = highest + 1;
      stack.pop();
    }
  }
  return generations;
}

/** A binary heap, the highest first. */
function createHeap(rankOf: (value: number) => number): {
  push(value: number): void;
  pop(): number | undefined;
} {
  const heap: number[] = [];
  const at = (index: number): number => heap[index] ?? -1;
  const swap = (left: number, right: number): void => {
    const value = at(left);
    heap[left] = at(right);
    heap[right] = value;
  };
  return {
    push(value) {
      heap.push(value);
      for (let child = heap.length - 1; child > 0; ) {
        const parent = (child - 1) >> 1;
        if (rankOf(at(parent)) >= rankOf(at(child))) break;
        swap(parent, child);
        child = parent;
      }
    },
    pop() {
      const top = heap[0];
      const end = heap.pop();
      if (top === undefined || end === undefined || heap.length === 0) return top;
      heap[0] = end;
      for (let parent = 0; ; ) {
        const left = parent * 2 + 1;
        const right = left + 1;
        let highest = parent;
        if (left < heap.length && rankOf(at(left)) > rankOf(at(highest))) highest = left;
        if (right < heap.length && rankOf(at(right)) > rankOf(at(highest))) highest = right;
        if (highest === parent) return top;
        swap(parent, highest);
        parent = highest;
      }
    },
  };
}
