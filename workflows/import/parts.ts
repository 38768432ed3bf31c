import type { ImportActivities } from '../contracts/imports.ts';
import type { ImportRepositoryInput } from '../inputs.ts';
import { STREAMS_OF_SERVICE, type Stream } from '../words.ts';

/** What the run of a repository has to read, and how far it is; carried from one run to the next. */
export type Todo = NonNullable<ImportRepositoryInput['carried']>;

/**
 * What is read one behind the other; of a large repository `git` and `api` at once, then `links`; of a small one both in
 * one activity (`small`, whose streams are those of the API).
 */
export interface Part {
  kind: 'git' | 'api' | 'links' | 'small';
  streams: Stream[];
}

const isGit = (stream: Stream): boolean => STREAMS_OF_SERVICE.repositories.includes(stream);

/** From the answer to which streams are wanted. Asked again (`before`), a part that has new streams is not done any more. */
export function takeUp(
  answer: Awaited<ReturnType<ImportActivities['beginRepository']>>,
  before: Todo | undefined,
  now: Pick<Todo, 'paused' | 'progress'>,
): Todo {
  const { mode, streams, commitSource = 'git', retries, sideBySide, small } = answer;
  const added = streams.filter((stream) => before?.streams.includes(stream) !== true);
  return {
    mode,
    streams,
    commitSource,
    gitDone: before?.gitDone === true && !added.some(isGit),
    ...(before?.apiDone === true && added.every(isGit) ? { apiDone: true } : {}),
    ...(before?.linksDone === true && added.length === 0 ? { linksDone: true } : {}),
    ...(sideBySide === undefined ? {} : { sideBySide }),
    ...(small === undefined ? {} : { small }),
    ...(retries === undefined ? {} : { retries }),
    ...now,
  };
}

/** What is to be read now; nothing: the repository is read to its end. */
export function openParts({ streams, sideBySide, small, commitSource = 'git', ...done }: Todo): Part[] {
  const isOfGit = (stream: Stream): boolean => commitSource === 'git' && isGit(stream);
  const git = { kind: 'git' as const, streams: streams.filter(isOfGit) };
  const api = { kind: 'api' as const, streams: streams.filter((stream) => !isOfGit(stream)) };
  const open = [git, api].filter((part) => part.streams.length > 0 && done[`${part.kind}Done`] !== true);
  if (small === true && open.length === 2) return [{ kind: 'small', streams: api.streams }];
  if (sideBySide !== true) return open.slice(0, 1);
  if (open.length > 0 || done.linksDone === true) return open;
  return [{ kind: 'links', streams: ['pull_requests'] }];
}
