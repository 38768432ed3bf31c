import { exitOf, type GitProcesses } from './gitProcess.ts';
import { createObjectReader, type ObjectReader } from './objectReader.ts';
import { readCommit } from './commitLog.ts';
import { readMergeMessage } from './mergeMessage.ts';
import { isoDate } from './objectText.ts';
import type { AdoptedPullRequest, AdoptedRepository, CommitRecord, RepositoryHeads } from './store.ts';

/** A commit in the graph; a parent outside a shallow repository is no parent. */
interface GraphNode {
  hash: string;
  parents: string[];
  /** Place in topological order, newest first. */
  at: number;
}

/** The two sides of a merge on the main line. */
interface MergedSide {
  merge: GraphNode;
  /** What the second parent brought, newest first. */
  side: GraphNode[];
}

/**
 * The pull requests of a history that never had any: each merge of two parents on the main branch's
 * first-parent line was one. Also everybody in the history.
 */
export async function derivePullRequests(
  processes: GitProcesses,
  path: string,
  heads: RepositoryHeads,
): Promise<Pick<AdoptedRepository, 'pullRequests' | 'people'>> {
  if (heads.branches.length === 0) return { pullRequests: [], people: [] };
  const { graph, people } = await readGraph(processes, path);
  const tip = heads.branches.find(({ name }) => name === heads.mainBranch)?.target;
  const merges = tip === undefined ? [] : mergedSides(graph, tip);
  const reader = createObjectReader(processes, path);
  try {
    const pullRequests: AdoptedPullRequest[] = [];
    for (const [index, merged] of merges.entries()) {
      pullRequests.push(await describe(reader, heads, index + 1, merged));
    }
    return { pullRequests, people };
  } finally {
    reader.close();
  }
}

/** What each merge of two parents on the first-parent line down from `tip` brought in, newest first, by its hash. */
export async function sidesOfMerges(
  processes: GitProcesses,
  path: string,
  tip: string,
): Promise<ReadonlyMap<string, string[]>> {
  const { graph } = await readGraph(processes, path);
  return new Map(
    mergedSides(graph, tip).map(({ merge, side }) => [merge.hash, side.map(({ hash }) => hash)]),
  );
}

async function readGraph(
  processes: GitProcesses,
  path: string,
): Promise<{ graph: Map<string, GraphNode>; people: AdoptedRepository['people'] }> {
  const format = '--format=%H%x00%P%x00%an%x00%ae%x00%cn%x00%ce';
  const args = ['--git-dir', path, 'log', '-z', '--topo-order', format, '--branches', '--tags'];
  const child = await processes.start(args);
  const ended = exitOf(child, ['log']);
  child.stdin.end();
  let text = '';
  child.stdout.setEncoding('utf8');
  for await (const chunk of child.stdout) text += chunk;
  await ended;
  const graph = new Map<string, GraphNode>();
  const commitsOf = new Map<string, { name: string; email: string; commits: number }>();
  const words = text.split('\0');
  for (let at = 0; at + 5 < words.length; at += 6) {
    const [hash = '', parents = '', name = '', email = '', byName = '', byEmail = ''] = words.slice(
      at,
      at + 6,
    );
    graph.set(hash, { hash, parents: parents.split(' ').filter((parent) => parent !== ''), at });
    for (const person of new Set([`${name}\0${email}`, `${byName}\0${byEmail}`])) {
      const [itsName = '', itsEmail = ''] = person.split('\0');
      const known = commitsOf.get(person) ?? { name: itsName, email: itsEmail, commits: 0 };
      known.commits += 1;
      commitsOf.set(person, known);
    }
  }
  return { graph, people: [...commitsOf.values()].toSorted((one, other) => other.commits - one.commits) };
}

/** Walks the main line from its beginning; what is reached already is never counted to a later side. */
function mergedSides(graph: ReadonlyMap<string, GraphNode>, tip: string): MergedSide[] {
  const line: GraphNode[] = [];
  for (let node = graph.get(tip); node; node = graph.get(node.parents[0] ?? '')) line.push(node);
  const reached = new Set<string>();
  const merges: MergedSide[] = [];
  for (const node of line.toReversed()) {
    reached.add(node.hash);
    for (const [position, parent] of node.parents.entries()) {
      if (position === 0) continue;
      const side = reach(graph, parent, reached);
      if (node.parents.length === 2 && side.length > 0) merges.push({ merge: node, side });
    }
  }
  return merges;
}

/** Everything not yet reached from `start`, newest first; now reached. */
function reach(graph: ReadonlyMap<string, GraphNode>, start: string, reached: Set<string>): GraphNode[] {
  const found: GraphNode[] = [];
  const open = [start];
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    const node = graph.get(hash);
    if (!node || reached.has(hash)) continue;
    reached.add(hash);
    found.push(node);
    open.push(...node.parents);
  }
  return found.toSorted((one, other) => one.at - other.at);
}

async function describe(
  reader: ObjectReader,
  heads: RepositoryHeads,
  number: number,
  { merge, side }: MergedSide,
): Promise<AdoptedPullRequest> {
  const [first = merge] = side;
  const last = side[side.length - 1] ?? merge;
  const read = (node: GraphNode): Promise<CommitRecord> => readCommit(reader, new Set(), node.hash);
  const [merged, newest, oldest] = await Promise.all([read(merge), read(first), read(last)]);
  const told = readMergeMessage(merged.message);
  const sourceBranch = told.sourceBranch ?? `merged/${first.hash.slice(0, 12)}`;
  const latest = merged.committer.seconds;
  return {
    number,
    title: told.title,
    description: told.description,
    sourceBranch,
    destinationBranch: heads.mainBranch ?? 'main',
    sourceHash: merge.parents[1] ?? '',
    destinationHash: merge.parents[0] ?? '',
    commitHashes: side.map(({ hash }) => hash),
    createdDate: isoDate(Math.min(oldest.committer.seconds, latest)),
    updatedDate: isoDate(Math.min(newest.committer.seconds, latest)),
    mergeHash: merge.hash,
    mergeDate: merged.committer.date,
    squashed: false,
    author: newest.author,
    mergedBy: merged.committer,
    sourceBranchExists: heads.branches.some(({ name }) => name === sourceBranch),
  };
}
