import { createFastImport, type FastImport, type FileChange, type WhoAndWhen } from './fastImport.ts';
import { GitError, type GitProcesses } from './gitProcess.ts';
import type { NewCommit, RepositoryChange, RepositoryChanged } from './repositoryChange.ts';
import type { RefRecord } from './store.ts';

type ChangedRef = RepositoryChanged['refs'][number];
type RefName = Pick<ChangedRef, 'kind' | 'name'>;

interface Repository {
  processes: GitProcesses;
  path: string;
  /** Branches and tags before the change. */
  refs: RefRecord[];
}

/** Applies one change to a bare repository, as a push or a merge on the host would. */
export async function changeRepository(
  processes: GitProcesses,
  path: string,
  refs: RefRecord[],
  change: RepositoryChange,
): Promise<RepositoryChanged> {
  const repository = { processes, path, refs };
  switch (change.kind) {
    case 'push':
      return push(repository, change);
    case 'merge':
      return merge(repository, change);
    case 'createBranch':
      return importChange(repository, [{ kind: 'branch', name: change.name }], async (importer) => {
        importer.reset(`refs/heads/${change.name}`, targetOf(repository, change.target));
      });
    case 'createTag':
      return importChange(repository, [{ kind: 'tag', name: change.name }], async (importer) => {
        const target = targetOf(repository, change.target);
        if (change.message === undefined) return importer.reset(`refs/tags/${change.name}`, target);
        const seconds = (await secondsOf(repository, target)) + 60;
        const tagger = change.tagger ?? { name: 'Tagger', email: 'tagger@example.test' };
        importer.tag(change.name, target, { ...tagger, seconds, zone: '+0000' }, change.message);
      });
    case 'collectGarbage':
      await processes.run(['--git-dir', path, 'gc', '--prune=now', '--quiet']);
      return { newCommits: [], refs: [] };
    case 'deleteBranch':
      return deleteRef(repository, { kind: 'branch', name: change.name });
    default:
      return deleteRef(repository, { kind: 'tag', name: change.name });
  }
}

async function push(
  repository: Repository,
  { branch, commits, onto }: Extract<RepositoryChange, { kind: 'push' }>,
): Promise<RepositoryChanged> {
  const base =
    onto === undefined
      ? (tipOf(repository, branch) ?? (await headOf(repository)))
      : targetOf(repository, onto);
  return importChange(repository, [{ kind: 'branch', name: branch }], async (importer) => {
    const ref = `refs/heads/${branch}`;
    let seconds = base === undefined ? Date.UTC(2026, 0, 1) / 1_000 : await secondsOf(repository, base);
    if (commits.length === 0 && base !== undefined) importer.reset(ref, base);
    for (const [at, commit] of commits.entries()) {
      seconds = commit.date === undefined ? seconds + 60 : Math.floor(Date.parse(commit.date) / 1_000);
      const author: WhoAndWhen = { ...commit.author, seconds, zone: '+0000' };
      const from = at === 0 ? { from: base ?? null } : {};
      const changes = fileChanges(commit, `${branch}-${seconds}`);
      importer.commit({ ref, author, committer: author, message: commit.message, ...from, changes });
    }
  });
}

function fileChanges({ files, message }: NewCommit, name: string): FileChange[] {
  const wanted = files ?? { [`pushed/${name}.txt`]: `${message}\n` };
  return Object.entries(wanted).map(([path, data]) =>
    data === null ? { kind: 'delete', path } : { kind: 'write', path, data },
  );
}

/** The source's changes since the merge base win over the destination's; conflicts are not this host's business. */
async function merge(
  repository: Repository,
  change: Extract<RepositoryChange, { kind: 'merge' }>,
): Promise<RepositoryChanged> {
  const { processes, path } = repository;
  const source = targetOf(repository, change.source);
  const destination = targetOf(repository, change.destination);
  const git = (...args: string[]) => processes.run(['--git-dir', path, ...args]);
  const base = (await git('merge-base', destination, source)).toString('latin1').trim();
  const changes = placements(await git('diff-tree', '-r', '-z', '--raw', '--no-renames', base, source));
  const merged = await importChange(
    repository,
    [{ kind: 'branch', name: change.destination }],
    async (importer) => {
      const newest = Math.max(await secondsOf(repository, source), await secondsOf(repository, destination));
      const seconds = change.date === undefined ? newest + 60 : Math.floor(Date.parse(change.date) / 1_000);
      const author = { ...change.author, seconds, zone: '+0000' };
      importer.commit({
        ref: `refs/heads/${change.destination}`,
        author,
        committer: author,
        message: change.message,
        from: destination,
        ...(change.squash ? {} : { merges: [source] }),
        changes,
      });
    },
  );
  if (!change.closeSource) return merged;
  const closed = await deleteRef(repository, { kind: 'branch', name: change.source });
  return { newCommits: merged.newCommits, refs: [...merged.refs, ...closed.refs] };
}

/** `:100644 100644 <old> <new> M`, then the path: what the other side put there. */
function placements(raw: Buffer): FileChange[] {
  const changes: FileChange[] = [];
  let at = 0;
  while (at < raw.length) {
    const headEnd = raw.indexOf(0, at);
    const pathEnd = raw.indexOf(0, headEnd + 1);
    const [, mode = '', , hash = '', status] = raw.toString('latin1', at, headEnd).split(' ');
    const path = raw.subarray(headEnd + 1, pathEnd);
    changes.push(status === 'D' ? { kind: 'delete', path } : { kind: 'place', path, mode, hash });
    at = pathEnd + 1;
  }
  return changes;
}

async function deleteRef(repository: Repository, { kind, name }: RefName): Promise<RepositoryChanged> {
  const before = repository.refs.find((ref) => ref.kind === kind && ref.name === name)?.target;
  if (before === undefined) throw new Error(`There is no ${kind} ${name}`);
  const args = ['--git-dir', repository.path, 'update-ref', '-d', fullName({ kind, name })];
  await repository.processes.run(args);
  return { newCommits: [], refs: [{ kind, name, before, after: null, forced: false }] };
}

async function importChange(
  repository: Repository,
  names: RefName[],
  write: (importer: FastImport) => Promise<void>,
): Promise<RepositoryChanged> {
  const { processes, path } = repository;
  const importer = await createFastImport(processes, path);
  await write(importer);
  const newCommits = (await importer.finish()).filter((hash) => hash !== undefined);
  const refs: ChangedRef[] = [];
  for (const { kind, name } of names) {
    const listed = await processes.run([
      '--git-dir',
      path,
      'rev-parse',
      `${fullName({ kind, name })}^{commit}`,
    ]);
    const after = listed.toString('latin1').trim();
    const before = repository.refs.find((ref) => ref.kind === kind && ref.name === name)?.target ?? null;
    const forced = before !== null && !(await isAncestor(repository, before, after));
    refs.push({ kind, name, before, after, forced });
  }
  return { newCommits, refs };
}

async function isAncestor({ processes, path }: Repository, older: string, newer: string): Promise<boolean> {
  try {
    await processes.run(['--git-dir', path, 'merge-base', '--is-ancestor', older, newer]);
    return true;
  } catch (error) {
    if (error instanceof GitError && error.exitCode === 1) return false;
    throw error;
  }
}

const fullName = ({ kind, name }: RefName) => `refs/${kind === 'branch' ? 'heads' : 'tags'}/${name}`;

const tipOf = ({ refs }: Repository, branch: string) =>
  refs.find((ref) => ref.kind === 'branch' && ref.name === branch)?.target;

function targetOf({ refs }: Repository, name: string): string {
  const target = refs.find((ref) => ref.name === name)?.target;
  if (target !== undefined) return target;
  if (/^[0-9a-f]{40}$/.test(name)) return name;
  throw new Error(`There is no branch, tag or full hash ${name}`);
}

async function headOf(repository: Repository): Promise<string | undefined> {
  const args = ['--git-dir', repository.path, 'symbolic-ref', '--short', 'HEAD'];
  return tipOf(repository, (await repository.processes.run(args)).toString('utf8').trim());
}

async function secondsOf({ processes, path }: Repository, hash: string): Promise<number> {
  const args = ['--git-dir', path, 'log', '--max-count=1', '--format=%ct', hash];
  return Number(await processes.run(args));
}
