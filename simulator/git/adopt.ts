import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { derivePullRequests } from './derivePullRequests.ts';
import type { GitProcesses } from './gitProcess.ts';
import { describeHeads } from './repositoryHeads.ts';
import type { AdoptedRepository } from './store.ts';

/**
 * Copies branches and tags of the local repository at `from` (a checkout, a worktree or a bare one) into the
 * bare repository `path`. Objects are copied, so the original may change or go; adopting again brings only
 * what is new. Branches that only a remote of the checkout has are branches too.
 */
export async function adoptRepository(
  processes: GitProcesses,
  path: string,
  key: string,
  from: string,
): Promise<AdoptedRepository> {
  if (!(await exists(join(path, 'HEAD')))) await processes.run(['init', '--bare', '--quiet', path]);
  await rm(join(path, 'generated.json'), { force: true });
  const source = (await processes.run(['-C', from, 'rev-parse', '--absolute-git-dir']))
    .toString('utf8')
    .trim();
  const wanted = await wantedRefs(processes, source);
  const stale = [...(await listRefs(processes, path, 'refs/')).keys()].filter((ref) => !wanted.has(ref));
  await processes.run(
    ['--git-dir', path, 'update-ref', '--stdin'],
    stale.map((ref) => `delete ${ref}\n`).join(''),
  );
  const refspecs = [...wanted].map(([ref, sourceRef]) => `+${sourceRef}:${ref}\n`).join('');
  if (wanted.size > 0) {
    const options = ['--quiet', '--no-tags', '--update-shallow', '--no-write-fetch-head'];
    await processes.run(['--git-dir', path, 'fetch', ...options, '--stdin', source], refspecs);
  }
  const main = await mainBranchOf(processes, source, wanted);
  await processes.run(['--git-dir', path, 'symbolic-ref', 'HEAD', `refs/heads/${main}`]);
  await processes.run(['--git-dir', path, 'pack-refs', '--all']);
  const heads = await describeHeads(processes, path);
  return { key, ...heads, ...(await derivePullRequests(processes, path, heads)) };
}

async function exists(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    () => false,
  );
}

/** Ref names and what they point at. */
async function listRefs(
  processes: GitProcesses,
  gitDirectory: string,
  prefix: string,
): Promise<Map<string, string>> {
  const format = '--format=%(objectname) %(refname)';
  const listed = await processes.run(['--git-dir', gitDirectory, 'for-each-ref', format, prefix]);
  const lines = listed
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(41), line.slice(0, 40)]));
}

/** Which ref the copy shall have, and the ref of the source it comes from. */
async function wantedRefs(processes: GitProcesses, source: string): Promise<Map<string, string>> {
  const local = [...(await listRefs(processes, source, 'refs/heads/')).keys()];
  const tags = [...(await listRefs(processes, source, 'refs/tags/')).keys()];
  const wanted = new Map([...local, ...tags].map((ref) => [ref, ref]));
  if (local.length === 0 && (await headCommit(processes, source)) !== null) {
    wanted.set('refs/heads/main', 'HEAD');
  }
  for (const remote of (await listRefs(processes, source, 'refs/remotes/origin/')).keys()) {
    const ref = remote.replace('refs/remotes/origin/', 'refs/heads/');
    if (ref === 'refs/heads/HEAD' || wanted.has(ref)) continue;
    // Git cannot hold both `a` and `a/b`; the local one wins.
    const clashes = [...wanted.keys()].some((had) => had.startsWith(`${ref}/`) || ref.startsWith(`${had}/`));
    if (!clashes) wanted.set(ref, remote);
  }
  return wanted;
}

/** Null for an unborn HEAD. */
async function headCommit(processes: GitProcesses, source: string): Promise<string | null> {
  const found = await processes
    .run(['--git-dir', source, 'rev-list', '--max-count=1', '--all', 'HEAD', '--'])
    .catch(() => null);
  return found?.toString('latin1').trim() || null;
}

/** The remote's main branch, else `main` or `master`, else what is checked out; a bare repository's own HEAD first. */
async function mainBranchOf(
  processes: GitProcesses,
  source: string,
  wanted: ReadonlyMap<string, string>,
): Promise<string> {
  const symbolic = async (ref: string) =>
    (await processes.run(['--git-dir', source, 'symbolic-ref', '--quiet', ref]).catch(() => ''))
      .toString()
      .trim();
  const bare = (
    await processes.run(['--git-dir', source, 'config', '--type=bool', '--default=false', 'core.bare'])
  )
    .toString()
    .startsWith('true');
  const head = (await symbolic('HEAD')).replace('refs/heads/', '');
  const remote = (await symbolic('refs/remotes/origin/HEAD')).replace('refs/remotes/origin/', '');
  const candidates = bare ? [head, remote, 'main', 'master'] : [remote, 'main', 'master', head];
  const first = [...wanted.keys()].find((ref) => ref.startsWith('refs/heads/'))?.replace('refs/heads/', '');
  return candidates.find((name) => wanted.has(`refs/heads/${name}`)) ?? first ?? 'main';
}
