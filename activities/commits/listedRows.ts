import { escapeText } from '../../db/text.ts';
import type { ParsedRecord } from '../bitbucket/records.ts';
import type { ListedBranch, ListedCommit, ListedTag } from '../bitbucket/schemas.ts';
import type { Item } from '../streams/streamReader.ts';

/** What the API lists of branches, tags and commits, as it is stored. Git tells more (`git/`). */

/** `Name <email>`, taken apart where git would (`git/person.ts`). */
export function personOf(raw: string): { name: string; email: string } {
  const open = raw.indexOf('<');
  const close = open === -1 ? -1 : raw.indexOf('>', open);
  if (close === -1) return { name: raw.trim(), email: '' };
  return { name: raw.slice(0, open).trimEnd(), email: raw.slice(open + 1, close) };
}

export function commitItem({ value, raw }: ParsedRecord<ListedCommit>): Item {
  const author = personOf(value.author);
  const committer = personOf(value.committer);
  return {
    key: value.hash,
    raw,
    row: {
      hash: value.hash,
      parent_hashes: value.parents.map(({ hash }) => hash),
      author_name: escapeText(author.name),
      author_email: escapeText(author.email),
      authored_at: value.date,
      committer_name: escapeText(committer.name),
      committer_email: escapeText(committer.email),
      message: escapeText(value.message),
    },
    accounts: [],
  };
}

export function branchItem({ value, raw }: ParsedRecord<ListedBranch>, observedAt: string): Item {
  return {
    key: `branch/${value.name}`,
    raw,
    row: { name: escapeText(value.name), target_hash: value.target.hash, observed_at: observedAt },
    accounts: [],
  };
}

export function tagItem({ value, raw }: ParsedRecord<ListedTag>, observedAt: string): Item {
  const { message, date, tagger } = value;
  const person = personOf(tagger?.raw ?? '');
  return {
    key: `tag/${value.name}`,
    raw,
    row: {
      name: escapeText(value.name),
      target_hash: value.target.hash,
      annotated: message !== null || date !== null || tagger !== null,
      message: message === null ? null : escapeText(message),
      tagger_name: tagger === null ? null : escapeText(person.name),
      tagger_email: tagger === null ? null : escapeText(person.email),
      tagged_at: date,
      observed_at: observedAt,
    },
    accounts: [],
  };
}

/** Of the two kinds of rows in the stream `refs`. */
export const isTagRow = ({ row }: Item): boolean => 'annotated' in row;
