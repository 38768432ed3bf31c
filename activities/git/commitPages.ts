import { escapeText } from '../../db/text.ts';
import type { CommitFileRow, CommitRow } from '../../db/queries/commits.ts';
import type { Commit } from './commitReader.ts';

/** What one transaction stores. */
export interface CommitPage {
  commits: CommitRow[];
  files: CommitFileRow[];
}

/** A page is full with so many commits, files or bytes of text, whichever is first. */
const MOST_COMMITS = 500;
const MOST_FILES = 5_000;
const MOST_TEXT = 4 * 1024 * 1024;

/** Cuts a stream of commits into pages. A commit is never split, however many files it changes. */
export async function* commitPages(commits: AsyncIterable<Commit>): AsyncGenerator<CommitPage> {
  let page: CommitPage = { commits: [], files: [] };
  let text = 0;
  for await (const commit of commits) {
    page.commits.push(commitRow(commit));
    for (const [place, file] of commit.files.entries()) {
      page.files.push({
        commit_hash: commit.hash,
        place,
        path: file.path,
        old_path: file.oldPath,
        lines_added: file.linesAdded,
        lines_removed: file.linesRemoved,
      });
    }
    text += commit.message.length + (commit.rawBytes?.length ?? 0);
    if (page.commits.length >= MOST_COMMITS || page.files.length >= MOST_FILES || text >= MOST_TEXT) {
      yield page;
      page = { commits: [], files: [] };
      text = 0;
    }
  }
  if (page.commits.length > 0) yield page;
}

function commitRow(commit: Commit): CommitRow {
  let added = 0;
  let removed = 0;
  for (const file of commit.files) {
    added += file.linesAdded ?? 0;
    removed += file.linesRemoved ?? 0;
  }
  return {
    hash: commit.hash,
    parent_hashes: commit.parentHashes,
    author_name: escapeText(commit.author.name),
    author_email: escapeText(commit.author.email),
    authored_at: commit.author.at,
    author_zone: escapeText(commit.author.zone),
    committer_name: escapeText(commit.committer.name),
    committer_email: escapeText(commit.committer.email),
    committed_at: commit.committer.at,
    committer_zone: escapeText(commit.committer.zone),
    message: escapeText(commit.message),
    raw_bytes: commit.rawBytes?.toString('hex') ?? null,
    lines_added: added,
    lines_removed: removed,
    files_changed: commit.files.length,
  };
}

/** Makes the next item while the last one is used: one ahead, never more. */
export async function* oneAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  // a failure shows when the item is asked for
  next.catch(() => {});
  try {
    for (let item = await next; item.done !== true; item = await next) {
      next = items.next();
      next.catch(() => {});
      yield item.value;
    }
  } finally {
    await items.return(undefined);
  }
}
