import type { Place, Subject } from './place.ts';

/**
 * Adds `count` commits to a branch, with renames, binary files, merges and empty commits now and then.
 * The same arguments make the same commits. `from`: where the branch starts; without it, at nothing.
 */
export function addHistory(subject: Subject, count: number, branch = 'main', from = ''): void {
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const who = (role: string, at: number) => `${role} Ann Ø <ann@example.org> ${at} +0530\n`;
  const parts: string[] = [];
  for (let i = 1; i <= count; i += 1) {
    const at = 1_600_000_000 + i * 60;
    parts.push(`commit refs/heads/${branch}\nmark :${i}\n${who('author', at)}${who('committer', at + 5)}`);
    parts.push(data(`Change ${i} of ${branch}\n\nwith a body\n`));
    if (i === 1 && from !== '') parts.push(`from ${from}\n`);
    if (i > 1) parts.push(`from :${i - 1}\n`);
    if (i % 10 === 0) parts.push(`merge :${i - 5}\n`);
    if (i % 7 === 0) continue;
    const lines = Array.from({ length: (i % 13) + 3 }, (_, line) => `line ${line} of ${i} in ${branch}`);
    parts.push(`M 100644 inline "src/file ${i % 20}.txt"\n${data(`${lines.join('\n')}\n`)}`);
    if (i % 9 === 0) parts.push(`R "src/file ${i % 20}.txt" "moved/file ${i}.txt"\n`);
    if (i % 11 === 0) parts.push(`M 100644 inline bin/${i}\n${data(`a\0b${i}`)}`);
  }
  subject.git.git(['fast-import', '--quiet', '--force'], parts.join(''));
}

/** What `git log` says of all commits: a line each, sorted, in the form of `storedHistory`. */
export function toldHistory(subject: Subject): string[] {
  const format = '%x01%H %P|%an <%ae> %at|%cn <%ce> %ct';
  const args = ['log', '--all', '--numstat', '-M', '--diff-merges=first-parent', `--format=${format}`];
  const entries = subject.git.git(args).toString().split('\u0001').slice(1);
  const lines = entries.map((entry) => {
    const [head = '', ...files] = entry.split('\n').filter((line) => line !== '');
    const sum = (column: number) =>
      files.reduce((total, line) => total + (Number(line.split('\t')[column]) || 0), 0);
    return `${head}|+${sum(0)} -${sum(1)} ${files.length}`;
  });
  return lines.toSorted();
}

/** The same of what is stored, without what no branch or tag leads to any more. */
export async function storedHistory(place: Place, subject: Subject): Promise<string[]> {
  const rows = await place.sql`
    select c.hash || ' ' || array_to_string(c.parent_hashes, ' ')
      || '|' || author_name || ' <' || author_email || '> ' || extract(epoch from authored_at)::bigint
      || '|' || committer_name || ' <' || committer_email || '> ' || extract(epoch from committed_at)::bigint
      || '|+' || coalesce(sum(f.lines_added), 0) || ' -' || coalesce(sum(f.lines_removed), 0)
      || ' ' || count(f.path) as line,
      c.lines_added = coalesce(sum(f.lines_added), 0) and c.lines_removed = coalesce(sum(f.lines_removed), 0)
        and c.files_changed = count(f.path) as adds_up
    from commits c left join commit_files f on f.repository_id = c.repository_id and f.commit_hash = c.hash
    where c.repository_id = ${subject.repositoryId} and c.unreachable_since is null
    group by c.organization_id, c.repository_id, c.hash`;
  return rows.map((row) => `${row['line']}${row['adds_up'] ? '' : ' (sums differ)'}`).toSorted();
}

/** Branches and tags as git has them, and as they are stored. */
export const toldRefs = (subject: Subject): string[] =>
  subject.git.lines(['for-each-ref', '--format=%(refname) %(objectname)']).toSorted();

export async function storedRefs(place: Place, subject: Subject): Promise<string[]> {
  const rows = await place.sql`
    select 'refs/heads/' || name || ' ' || target_hash as line from branches
    where repository_id = ${subject.repositoryId}
    union all select 'refs/tags/' || name || ' ' || target_hash from tags
    where repository_id = ${subject.repositoryId}`;
  return rows.map((row) => String(row['line'])).toSorted();
}

/** Progress of an import: `stream state stored/expected`. */
export async function progress(place: Place, importId: string): Promise<string[]> {
  const rows = await place.sql`
    select stream || ' ' || state || ' ' || records_stored || '/' || coalesce(records_expected::text, '?') as line
    from import_streams where import_id = ${importId} order by stream`;
  return rows.map((row) => String(row['line']));
}
