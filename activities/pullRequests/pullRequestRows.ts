import type { ParticipantRow, PullRequestRow } from '../../db/queries/pullRequests.ts';
import type { Row } from '../../db/queries/upsert.ts';
import { accountRows, escaped } from '../streams/accountRows.ts';
import type { ParsedRecord } from '../bitbucket/records.ts';
import type { Participant, PullRequest } from '../bitbucket/schemas.ts';
import { canonicalInstant } from '../streams/instants.ts';
import type { Item } from '../streams/streamReader.ts';

/** `{uuid}`, or the place in the list for a removed account without one. The first of two equal keys stays. */
function participantRows(participants: readonly Participant[]): ParticipantRow[] {
  const rows = new Map<string, ParticipantRow>();
  participants.forEach((participant, place) => {
    const key = participant.user?.uuid ?? `position:${String(place)}`;
    if (rows.has(key)) return;
    rows.set(key, {
      account_key: key,
      role: escaped(participant.role) ?? '',
      approved: participant.approved,
      state: escaped(participant.state),
      participated_on: participant.participated_on,
    });
  });
  return [...rows.values()];
}

function pullRequestRow({ value, storable }: ParsedRecord<PullRequest>, observedAt: string): PullRequestRow {
  return {
    number: value.id,
    title: escaped(value.title),
    description: escaped(value.description),
    state: escaped(value.state),
    draft: value.draft ?? false,
    author_uuid: value.author?.uuid ?? null,
    closed_by_uuid: value.closed_by?.uuid ?? null,
    reason: escaped(value.reason),
    source_branch: escaped(value.source?.branch?.name ?? null),
    source_hash: escaped(value.source?.commit?.hash ?? null),
    source_repository_uuid: value.source?.repository?.uuid ?? null,
    destination_branch: escaped(value.destination?.branch?.name ?? null),
    destination_hash: escaped(value.destination?.commit?.hash ?? null),
    destination_repository_uuid: value.destination?.repository?.uuid ?? null,
    merge_hash: escaped(value.merge_commit?.hash ?? null),
    close_source_branch: value.close_source_branch,
    comment_count: value.comment_count,
    task_count: value.task_count,
    created_on: value.created_on,
    updated_on: value.updated_on,
    observed_at: observedAt,
    raw: storable,
    participants: value.participants === undefined ? null : participantRows(value.participants),
  };
}

/** A pull request of a list, with its participants and all accounts it names. */
export function pullRequestItem(record: ParsedRecord<PullRequest>, observedAt: string): Item {
  const { value } = record;
  const people = [
    value.author,
    value.closed_by,
    ...(value.reviewers ?? []),
    ...(value.participants ?? []).map((participant) => participant.user),
  ];
  return {
    key: String(value.id),
    raw: record.raw,
    row: pullRequestRow(record, observedAt),
    accounts: accountRows(people, observedAt),
  };
}

/** One row a key, the one changed last: a statement may not meet a key twice (SQLSTATE 21000). */
export function newestByKey<T extends Row>(rows: readonly T[], keyOf: (row: T) => string): T[] {
  const newest = new Map<string, T>();
  const changed = (row: T): string =>
    typeof row['updated_on'] === 'string' ? canonicalInstant(row['updated_on']) : '';
  for (const row of rows) {
    const known = newest.get(keyOf(row));
    if (known === undefined || changed(row) >= changed(known)) newest.set(keyOf(row), row);
  }
  return [...newest.values()];
}
