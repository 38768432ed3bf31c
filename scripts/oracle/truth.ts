import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { type CanonicalRecord, canonical, instant } from './canonical.ts';

const lineSchema = z.looseObject({ kind: z.string() });
/** One line of the simulator's `GET /_simulator/state` (fields: simulator/README.md). */
type Line = z.infer<typeof lineSchema>;

/**
 * Streams the simulator's truth about one repository; without `git` what only git knows is left out, which takes the
 * longest to tell. Throws when the simulator does not answer 200.
 */
export async function* readTruth(
  simulatorUrl: string,
  repositoryUuid: string,
  git: boolean,
): AsyncIterable<CanonicalRecord> {
  const query = new URLSearchParams({ repository: repositoryUuid, git: git ? 'yes' : 'no' });
  const url = `${simulatorUrl}/_simulator/state?${query.toString()}`;
  const answer = await fetch(url);
  if (!answer.ok || answer.body === null) throw new Error(`${url} answers ${answer.status}`);
  const lines = createInterface({
    input: Readable.from(answer.body),
    crlfDelay: Infinity,
  });
  for await (const text of lines) {
    const record = truthRecord(lineSchema.parse(JSON.parse(text)));
    if (record !== undefined) yield record;
  }
}

const base64 = (text: unknown): string | null => (typeof text === 'string' ? text : null);

/** What the engine must hold for one line of truth; undefined for a line that nobody stores. */
function truthRecord(line: Line): CanonicalRecord | undefined {
  switch (line.kind) {
    case 'repository':
      return canonical('repository', String(line['repository']), {
        full_name: text(line['full_name']),
        slug: text(line['slug']),
        name: text(line['name']),
        description: text(line['description']),
        is_private: line['is_private'] === true,
        main_branch: text(line['main_branch']),
        created_on: instant(line['created_on']),
      });
    case 'branch':
      return canonical('branch', String(line['name']), { target: text(line['target']) });
    case 'tag':
      return canonical('tag', String(line['name']), {
        target: text(line['target']),
        annotated: line['annotated'] === true,
        message: text(line['message']),
        date: instant(line['date']),
      });
    case 'commit':
      return commit(line);
    case 'commit_file':
      return canonical('commit_file', `${String(line['commit'])} ${String(line['path_base64'])}`, {
        old_path: base64(line['old_path_base64']),
        added: number(line['lines_added']),
        removed: number(line['lines_removed']),
      });
    case 'pull_request':
      return pullRequest(line);
    case 'pull_request_commit':
      return canonical('pull_request_commit', `${String(line['pull_request'])} ${String(line['commit'])}`, {
        source: text(line['source']),
      });
    case 'participant':
      return canonical('participant', `${String(line['pull_request'])} ${String(line['user'])}`, {
        role: text(line['role']),
        approved: line['approved'] === true,
        state: text(line['state']),
        participated_on: instant(line['participated_on']),
      });
    case 'activity':
      return activity(line);
    case 'comment':
      return comment(line);
    default:
      return ticketRecord(line);
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);

const signature = z
  .object({
    name: z.string().nullable(),
    email: z.string().nullable(),
    date: z.string().nullable(),
    zone: z.string(),
  })
  .transform(({ name, email, date, zone }) => [name, email, instant(date), zone]);

function commit(line: Line): CanonicalRecord {
  return canonical('commit', String(line['hash']), {
    parents: line['parents'],
    author: signature.parse(line['author']),
    committer: signature.parse(line['committer']),
    // null: no valid UTF-8, so its bytes are compared
    message: text(line['message']) ?? `bytes ${String(line['message_base64'])}`,
    added: number(line['lines_added']),
    removed: number(line['lines_removed']),
    files: number(line['files_changed']),
  });
}

function pullRequest(line: Line): CanonicalRecord {
  const updatedOn = instant(line['updated_on']);
  return canonical(
    'pull_request',
    String(line['number']),
    {
      title: text(line['title']),
      description: text(line['description']),
      state: text(line['state']),
      draft: line['draft'] === true,
      author: text(line['author']),
      closed_by: text(line['closed_by']),
      reason: text(line['reason']),
      source: [text(line['source_branch']), text(line['source_commit']), text(line['source_repository'])],
      destination: [
        text(line['destination_branch']),
        text(line['destination_commit']),
        text(line['destination_repository']),
      ],
      merge_commit: text(line['merge_commit']),
      close_source_branch: line['close_source_branch'] === true,
      comment_count: number(line['comment_count']),
      task_count: number(line['task_count']),
      created_on: instant(line['created_on']),
      updated_on: updatedOn,
    },
    updatedOn,
  );
}

/** Entries have no id at the source, so everything they say is their key. An entry without any kind says nothing. */
function activity(line: Line): CanonicalRecord | undefined {
  if (line['entry'] === 'none') return undefined;
  const what = {
    date: instant(line['date']),
    user: text(line['user']),
    comment: number(line['comment']),
    state: text(line['state']),
    title: text(line['title']),
    draft: typeof line['draft'] === 'boolean' ? line['draft'] : null,
    reason: text(line['reason']),
    changes: line['changes'] ?? null,
  };
  const content = canonical('activity', '', what).content;
  return canonical('activity', `${String(line['pull_request'])} ${String(line['entry'])} ${content}`, {});
}

function comment(line: Line): CanonicalRecord {
  const updatedOn = instant(line['updated_on']);
  return canonical(
    'comment',
    `${String(line['pull_request'])} ${String(line['id'])}`,
    {
      content: text(line['raw']),
      user: text(line['user']),
      created_on: instant(line['created_on']),
      updated_on: updatedOn,
      deleted: line['deleted'] === true,
      parent: number(line['parent']),
      inline: [text(line['path']), number(line['line_from']), number(line['line_to'])],
      resolved: text(line['resolved_on']) !== null,
    },
    updatedOn,
  );
}

function ticketRecord(line: Line): CanonicalRecord | undefined {
  const createdOn = instant(line['created_on']);
  if (line.kind === 'ticket') {
    const updatedOn = instant(line['updated_on']);
    const names = ['title', 'state', 'priority', 'component', 'milestone', 'version', 'reporter', 'assignee'];
    return canonical(
      'ticket',
      String(line['number']),
      {
        ...Object.fromEntries(names.map((name) => [name, text(line[name])])),
        content: text(line['raw']),
        kind: text(line['ticket_kind']),
        votes: number(line['votes']),
        watches: number(line['watches']),
        created_on: createdOn,
        updated_on: updatedOn,
        edited_on: instant(line['edited_on']),
      },
      updatedOn,
    );
  }
  const key = `${String(line['ticket'])} ${String(line['id'])}`;
  if (line.kind === 'ticket_comment') {
    return canonical('ticket_comment', key, {
      content: text(line['raw']),
      user: text(line['user']),
      created_on: createdOn,
      updated_on: instant(line['updated_on']),
    });
  }
  if (line.kind === 'ticket_change') {
    return canonical('ticket_change', key, {
      user: text(line['user']),
      message: text(line['message']),
      changes: line['changes'],
      created_on: createdOn,
    });
  }
  return undefined;
}
