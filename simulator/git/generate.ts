import { createHash, randomBytes } from 'node:crypto';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFastImport, type FastImport } from './fastImport.ts';
import type { GitProcesses } from './gitProcess.ts';
import {
  directCommits,
  type History,
  LAST_SECOND,
  type PullRequestHistory,
  writeHistory,
} from './history.ts';
import { isoDate } from './objectText.ts';
import { ODD_COMMITS, writeOddHistory } from './oddHistory.ts';
import { createProjectFiles, words } from './projectFiles.ts';
import { createRandom, type Random } from './random.ts';
import { describeHeads } from './repositoryHeads.ts';
import type { GeneratedRepository, GenerateSpec, GitPullRequest } from './store.ts';

/** Part of the cache's key: counts up when the same spec makes another repository than before. */
const GENERATOR_VERSION = 1;
const MARKER = 'generated.json';
const SQUASH_SHARE = 0.15;
/** Commits from which a clone of what fast-import wrote takes seconds more of git's time than of what is packed. */
const LARGE = 10_000;

/**
 * Builds the bare repository `path` from the spec, or answers from its marker when it stands already, or copies it from
 * the folder `cache`, which several stores may share. The marker is written last and the folder renamed into place, so a
 * half-built one is never taken for whole.
 */
export async function generateRepository(
  processes: GitProcesses,
  path: string,
  spec: GenerateSpec,
  cache?: string,
): Promise<GeneratedRepository> {
  const digest = createHash('sha256')
    .update(JSON.stringify([GENERATOR_VERSION, spec]))
    .digest('hex');
  const known = await readMarker(path);
  if (known?.digest === digest) return known.repository;
  const building = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const shared = cache === undefined ? undefined : join(cache, `${digest}.git`);
  try {
    const made = shared === undefined ? null : await readMarker(shared);
    if (made !== null && shared !== undefined) await cp(shared, building, { recursive: true });
    else await buildWhole();
    const repository = made?.repository ?? (await readMarker(building))?.repository;
    if (repository === undefined) throw new Error(`${building} has no marker.`);
    await rm(path, { recursive: true, force: true });
    await rename(building, path);
    return repository;
  } finally {
    await rm(building, { recursive: true, force: true });
  }

  async function buildWhole(): Promise<void> {
    await processes.run(['init', '--bare', '--quiet', building]);
    const repository = await build(processes, building, spec);
    await writeFile(join(building, MARKER), JSON.stringify({ digest, repository }));
    if (shared === undefined) return;
    const copy = `${shared}.${process.pid}-${randomBytes(4).toString('hex')}`;
    await cp(building, copy, { recursive: true });
    // Another store was quicker: its copy is the same.
    await rename(copy, shared).catch(() => rm(copy, { recursive: true, force: true }));
  }
}

/** Makes the next `generate` build afresh; called before a repository is changed. */
export async function forgetGenerated(path: string): Promise<void> {
  await rm(join(path, MARKER), { force: true });
}

async function readMarker(path: string): Promise<{ digest: string; repository: GeneratedRepository } | null> {
  try {
    return JSON.parse(await readFile(join(path, MARKER), 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function build(
  processes: GitProcesses,
  path: string,
  spec: GenerateSpec,
): Promise<GeneratedRepository> {
  if (spec.commits === 0 && spec.pullRequests.length === 0) {
    return { key: spec.key, pullRequests: [], ...(await describeHeads(processes, path)) };
  }
  const random = createRandom('history', spec.seed);
  const squashed = new Set(
    spec.pullRequests
      .filter((each) => each.state === 'MERGED' && random.chance(SQUASH_SHARE))
      .map((each) => each.number),
  );
  const sideCommits = Math.min(2 * (spec.branches - 1), Math.floor(spec.commits / 10));
  const direct = directCommits(spec, squashed, Math.max(0, sideCommits) + (spec.odd ? ODD_COMMITS : 0));
  const importer = await createFastImport(processes, path);
  const interlude = spec.odd ? { interlude: (tip: number) => writeOddHistory(importer, tip) } : {};
  const history = await writeHistory(importer, random, spec, { direct, squashed, ...interlude });
  writeBranches(importer, random, spec, history, sideCommits);
  writeTags(importer, random, spec, history.mainLine);
  const hashes = await importer.finish();
  await dropWorkingRefs(processes, path);
  await processes.run(['--git-dir', path, 'pack-refs', '--all']);
  // A host packs what it serves once; without, each clone finds out anew what belongs to it.
  if (hashes.length > LARGE)
    await processes.run(['--git-dir', path, 'repack', '-a', '-d', '--quiet', '--write-bitmap-index']);
  await processes.run(['--git-dir', path, 'commit-graph', 'write', '--reachable', '--no-progress']);
  const pullRequests = history.pullRequests.map((each) => finished(each, history, hashes));
  return { key: spec.key, pullRequests, ...(await describeHeads(processes, path)) };
}

/** Branches besides those of pull requests, off the newer part of the main line. */
function writeBranches(
  importer: FastImport,
  random: Random,
  spec: GenerateSpec,
  { mainLine, branches }: History,
  sideCommits: number,
): void {
  const files = createProjectFiles(random, 40);
  let left = sideCommits;
  for (let branch = 1; branch < spec.branches; branch += 1) {
    const name = `${random.pick(['feature', 'fix', 'spike', 'release'])}/${words(random, 2).replace(' ', '-')}-${branch}`;
    let tip = mainLine[Math.floor(mainLine.length * (0.8 + 0.2 * random.next()))] ?? 0;
    const commits = branch === spec.branches - 1 ? left : Math.min(left, 1 + random.below(3));
    left -= commits;
    for (let made = 0; made < commits; made += 1) {
      const person = { ...random.pick(spec.authors), seconds: LAST_SECOND + 60 * made, zone: '+0000' };
      const message = `Try ${words(random, 3)}\n`;
      const changes = files.edit(2);
      const ref = `refs/heads/${name}`;
      tip = importer.commit({ ref, author: person, committer: person, message, from: tip, changes });
    }
    branches.set(name, tip);
  }
  for (const [name, tip] of branches) importer.reset(`refs/heads/${name}`, tip);
}

/** Releases spread over the main line; every other one an annotated tag. */
function writeTags(importer: FastImport, random: Random, spec: GenerateSpec, mainLine: number[]): void {
  for (let tag = 0; tag < spec.tags; tag += 1) {
    const name = `v${1 + Math.floor(tag / 100)}.${Math.floor(tag / 10) % 10}.${tag % 10}`;
    const mark = mainLine[Math.floor((mainLine.length * (tag + 1)) / (spec.tags + 1))] ?? 0;
    if (tag % 2 === 0) {
      const tagger = { ...random.pick(spec.authors), seconds: LAST_SECOND + tag, zone: '+0100' };
      importer.tag(name, mark, tagger, `Release ${name}\n\n${words(random, 6)}\n`);
    } else importer.reset(`refs/tags/${name}`, mark);
  }
}

async function dropWorkingRefs(processes: GitProcesses, path: string): Promise<void> {
  const listed = await processes.run([
    '--git-dir',
    path,
    'for-each-ref',
    '--format=delete %(refname)',
    'refs/simulator/',
  ]);
  await processes.run(['--git-dir', path, 'update-ref', '--stdin'], listed);
}

function finished(made: PullRequestHistory, { branches }: History, hashes: string[]): GitPullRequest {
  const hashOf = (mark: number | undefined) => hashes[mark ?? 0] ?? '';
  const { spec, commits, merge } = made;
  const newest = commits.at(-1);
  const author = {
    name: String(made.author.name),
    email: String(made.author.email),
    seconds: newest?.seconds ?? 0,
    zone: made.author.zone,
    date: isoDate(newest?.seconds ?? 0),
  };
  return {
    number: spec.number,
    sourceBranch: spec.sourceBranch,
    destinationBranch: spec.destinationBranch,
    sourceHash: hashOf(newest?.mark),
    destinationHash: hashOf(made.destination),
    commitHashes: commits.map((commit) => hashOf(commit.mark)).toReversed(),
    createdDate: isoDate(commits[0]?.seconds ?? 0),
    updatedDate: author.date,
    mergeHash: merge ? hashOf(merge.mark) : null,
    mergeDate: merge ? isoDate(merge.by.seconds) : null,
    squashed: merge?.squashed ?? false,
    author,
    mergedBy: merge
      ? {
          name: String(merge.by.name),
          email: String(merge.by.email),
          seconds: merge.by.seconds,
          zone: merge.by.zone,
          date: isoDate(merge.by.seconds),
        }
      : null,
    sourceBranchExists: branches.has(spec.sourceBranch),
  };
}
