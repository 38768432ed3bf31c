import type { RepositorySource } from '../../db/queries/importProgress.ts';
import type { Stream } from '../../workflows/words.ts';
import { RepositoryGone } from '../bitbucket/errors.ts';
import type { Place } from './streamReader.ts';

/**
 * The name of a repository that was deleted, renamed or moved is free for another one. Until discovery sees that, whoever
 * reads by the name reads the other one's records, so records are believed only where they name the repository's own uuid.
 */
export class Replaced extends RepositoryGone {
  constructor(fullName: string) {
    super({
      finding: {
        code: 'repository_replaced',
        message: `Another repository is called ${fullName} now.`,
        remedy:
          'Run discover: it shows what became of the repository, and the other one, which can be imported.',
      },
    });
  }
}

type Named = Pick<RepositorySource, 'fullName' | 'providerUuid'>;

/** Where a record says which repository it is of (facts 3); the entries and comments of a pull request do not. */
const PLACES: Partial<Record<Stream, readonly string[]>> = {
  refs: ['target', 'repository', 'uuid'],
  commits: ['repository', 'uuid'],
  pull_requests: ['destination', 'repository', 'uuid'],
  tickets: ['repository', 'uuid'],
};

/** Throws Replaced where one of a page's records is of another repository. One that does not say is believed. */
export function mustBeOf(source: RepositorySource, stream: Stream, records: readonly unknown[]): void {
  const place = PLACES[stream];
  if (place === undefined) return;
  const repository = place.slice(0, -1);
  for (const record of records) mustBeItself(source, at(record, repository));
}

/** What shows which repository is called by the name that is stored, at the least cost. */
export const namedPlace = ({ fullName }: Named): Place => ({
  path: `/repositories/${fullName}?fields=uuid`,
});

/** Throws Replaced where a repository that is shown by its name is another one. */
export function mustBeItself(source: Named, repository: unknown): void {
  const uuid = at(repository, ['uuid']);
  if (typeof uuid === 'string' && uuid !== source.providerUuid) throw new Replaced(source.fullName);
}

const at = (record: unknown, place: readonly string[]): unknown =>
  place.reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), record);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
