import { z } from '@hono/zod-openapi';
import type {
  OpenRepository,
  ReportedStream,
  RepositoryReport,
  StreamTotal,
} from '../../db/queries/api/completeness.ts';
import type { ImportRow } from '../../db/queries/api/imports.ts';
import { unescapeText } from '../../db/text.ts';
import {
  addUp,
  COMPLETENESS,
  type Completeness,
  completenessOf,
  completenessOfAll,
} from '../../workflows/completeness.ts';
import { IMPORT_MODES, IMPORT_REPOSITORY_STATES, IMPORT_STATES, STREAMS } from '../../workflows/words.ts';
import { instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { finding, id, link, timestamp } from './shared.ts';

const count = z.number().int().min(0);

const status = z.enum(COMPLETENESS).meta({
  description:
    '`complete`: read to its end, and it adds up; `incomplete`: it does not; `failed`: not read to its end; `unavailable`: the host does not have it; `switched_off`: its service was switched off meanwhile; `in_progress`, `pending`: not ended yet',
});

const counts = {
  expected: count.nullable().meta({ description: 'null: not known yet' }),
  stored: count,
  quarantined: count.meta({ description: 'kept with their bytes: see the quarantine' }),
  gone: count.meta({ description: 'announced by the source, which then did not have them' }),
  not_permitted: count.meta({ description: 'refused to this account' }),
  missing: count.meta({ description: 'expected, and nothing is known of them' }),
  surplus: count.meta({ description: 'more than expected' }),
};

const basis = z
  .strictObject({ code: z.string(), text: z.string() })
  .meta({ description: 'how `expected` is known' })
  .openapi('ExpectedBasis');

const note = z
  .strictObject({ code: z.string(), message: z.string(), count: count.optional() })
  .openapi('StreamNote');

const reportedStream = z
  .strictObject({
    stream: z.enum(STREAMS),
    status,
    adds_up: z.boolean().nullable().meta({
      description: 'expected = stored + quarantined + gone + not_permitted; null: not ended, or not there',
    }),
    ...counts,
    expected_basis: basis.nullable(),
    method: z.string().nullable().meta({ description: 'which of several ways it was read' }),
    notes: z.array(note).meta({
      description:
        'What to know of it besides, each with a code and, where it can be counted, how many records or pull requests it is about. ' +
        '`feed_contradicts_comment_count`, `feed_contradicts_pull_requests`: the activity of the whole repository showed less than the pull requests tell of, so that many of them were asked one by one; ' +
        '`feed_unavailable`, `feed_fails`, `feed_refused`, `feed_ended_early`: why it was not read to its end; ' +
        '`not_listed`: branches and tags that a list lacked and that are kept until another agrees',
    }),
    error: finding.nullable(),
  })
  .openapi('StreamCompleteness');

export const repositoryCompletenessSchema = z
  .strictObject({
    repository_id: id,
    import_id: id.nullable().meta({ description: 'the last import of it; null: it was never imported' }),
    mode: z.enum(IMPORT_MODES).nullable().meta({
      description: '`changed`: the numbers are of what changed since the import before',
    }),
    state: z.enum(IMPORT_REPOSITORY_STATES).nullable(),
    status,
    adds_up: z.boolean().nullable(),
    streams: z.array(reportedStream),
    error: finding.nullable(),
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    links: z.array(link),
  })
  .openapi('RepositoryCompleteness');

const streamTotal = z
  .strictObject({
    stream: z.enum(STREAMS),
    status,
    ...counts,
    expected_bases: z.array(basis),
    methods: z.array(z.string()),
    repositories: z.strictObject({
      complete: count,
      incomplete: count,
      failed: count,
      unavailable: count,
      in_progress: count,
    }),
  })
  .openapi('StreamCompletenessTotal');

export const importCompletenessSchema = z
  .strictObject({
    import_id: id,
    mode: z.enum(IMPORT_MODES),
    state: z.enum(IMPORT_STATES),
    status,
    adds_up: z.boolean().nullable(),
    streams: z.array(streamTotal).meta({ description: 'over all repositories' }),
    not_complete: z
      .array(
        z.strictObject({
          repository_id: id,
          full_name: z.string(),
          state: z.enum(IMPORT_REPOSITORY_STATES),
          error: finding.nullable(),
        }),
      )
      .meta({ description: 'repositories that ended without being complete, the first 100' }),
    more_not_complete: z.boolean(),
    finished_at: timestamp.nullable(),
    links: z.array(link),
  })
  .openapi('ImportCompleteness');

/** How many repositories of an import are named. */
export const NAMED = 100;

const BASES: Record<string, string> = {
  size: 'Bitbucket says with each page of the list how many there are.',
  size_of_changes: 'Bitbucket says how many of the list changed since the import before.',
  rev_list:
    'git counts the commits that branches and tags lead to; every commit that one of them names must be stored.',
  snapshot: 'Branches and tags of the clone.',
  comment_count:
    'What was read, and what the `comment_count` of each pull request still announces beside it (deleted comments are not in it).',
  entries_and_facts:
    'What was read, and the entries that must be there beside it: one for each vote and each closing state of a pull request.',
  own_lists: 'The list of each ticket, counted as it was read.',
  counted: 'Counted as it was read: the source says nowhere how many there are.',
};

const presentBasis = (code: string): z.infer<typeof basis> => ({
  code,
  text: BASES[code] ?? 'Not described.',
});

function presentStream(row: ReportedStream): z.infer<typeof reportedStream> {
  const is = completenessOf(row);
  const ended = is === 'complete' || is === 'incomplete';
  const { missing, surplus, addsUp } = addUp(row);
  return {
    stream: row.stream,
    status: is,
    adds_up: ended ? addsUp : null,
    expected: row.expected,
    stored: row.stored,
    quarantined: row.quarantined,
    gone: row.gone,
    not_permitted: row.notPermitted,
    missing: ended ? missing : 0,
    surplus: ended ? surplus : 0,
    expected_basis: row.basis === null ? null : presentBasis(row.basis),
    method: row.method,
    notes: Object.entries(row.notes).map(([code, { message, count: about }]) => ({
      code,
      message,
      ...(about === undefined ? {} : { count: about }),
    })),
    error: presentFinding(row.error),
  };
}

/** Adds up: true for complete, false where something is missing, null while it is not known. */
const addsUpOf = (is: Completeness): boolean | null =>
  is === 'complete' ? true : is === 'incomplete' || is === 'failed' ? false : null;

export function presentRepositoryCompleteness(
  repositoryId: string,
  report: RepositoryReport | null,
): z.infer<typeof repositoryCompletenessSchema> {
  const is = completenessOfAll((report?.streams ?? []).map(completenessOf));
  return {
    repository_id: repositoryId,
    import_id: report?.importId ?? null,
    mode: report?.mode ?? null,
    state: report?.state ?? null,
    status: report?.state === 'failed' && is !== 'incomplete' ? 'failed' : is,
    adds_up: report?.state === 'failed' ? false : addsUpOf(is),
    streams: (report?.streams ?? []).map(presentStream),
    error: presentFinding(report?.error ?? null),
    started_at: instantOrNull(report?.startedAt ?? null),
    finished_at: instantOrNull(report?.finishedAt ?? null),
    links: [
      { action: 'read', method: 'GET', href: `/v1/repositories/${repositoryId}`, hint: 'The repository.' },
      ...(report === null
        ? []
        : [
            {
              action: 'read_import' as const,
              method: 'GET' as const,
              href: `/v1/imports/${report.importId}/completeness`,
              hint: 'The whole import.',
            },
          ]),
    ],
  };
}

function statusOfTotal(row: StreamTotal): Completeness {
  const parts: Completeness[] = [
    ...(row.failed > 0 ? ['failed' as const] : []),
    ...(row.incomplete > 0 ? ['incomplete' as const] : []),
    ...(row.inProgress > 0 ? ['in_progress' as const] : []),
    ...(row.complete > 0 ? ['complete' as const] : []),
  ];
  return parts.length === 0 ? 'unavailable' : completenessOfAll(parts);
}

const presentTotal = (row: StreamTotal): z.infer<typeof streamTotal> => ({
  stream: row.stream,
  status: statusOfTotal(row),
  expected: row.expected,
  stored: row.stored,
  quarantined: row.quarantined,
  gone: row.gone,
  not_permitted: row.notPermitted,
  missing: row.missing,
  surplus: row.surplus,
  expected_bases: row.bases.map(presentBasis),
  methods: row.methods,
  repositories: {
    complete: row.complete,
    incomplete: row.incomplete,
    failed: row.failed,
    unavailable: row.unavailable,
    in_progress: row.inProgress,
  },
});

/** An import is complete when it ended so; while it runs, streams of repositories not begun yet are not among its rows. */
function statusOfImport(row: ImportRow, totals: StreamTotal[]): Completeness {
  if (row.state === 'completed') return 'complete';
  if (row.state === 'pending') return 'pending';
  if (row.state !== 'completed_with_failures' && row.state !== 'cancelled') return 'in_progress';
  return totals.some((total) => total.failed > 0) || row.state === 'cancelled' ? 'failed' : 'incomplete';
}

export function presentImportCompleteness(
  row: ImportRow,
  totals: StreamTotal[],
  open: OpenRepository[],
): z.infer<typeof importCompletenessSchema> {
  const is = statusOfImport(row, totals);
  const at = `/v1/imports/${row.id}`;
  return {
    import_id: row.id,
    mode: row.mode,
    state: row.state,
    status: is,
    adds_up: addsUpOf(is),
    streams: totals.map(presentTotal),
    not_complete: open.slice(0, NAMED).map((repository) => ({
      repository_id: repository.repositoryId,
      full_name: unescapeText(repository.fullName),
      state: repository.state,
      error: presentFinding(repository.error),
    })),
    more_not_complete: open.length > NAMED,
    finished_at: instantOrNull(row.finishedAt),
    links: [
      { action: 'read', method: 'GET', href: at, hint: 'How far it is.' },
      { action: 'list_repositories', method: 'GET', href: `${at}/repositories`, hint: 'Per repository.' },
    ],
  };
}
