import type { NewestStored } from '../../db/queries/newest.ts';
import { countTicketRows } from '../../db/queries/tickets.ts';
import { issueSchema } from '../bitbucket/schemas.ts';
import {
  beginKeyed,
  completeKeyed,
  doubtsEmptyList,
  keyedPath,
  keyedStep,
  mayListAnother,
  readKeyed,
  type KeyedList,
} from '../streams/keyedWalk.ts';
import { oldestOfWalk, parseKeyed } from '../streams/keyedPosition.ts';
import { storeOf } from '../streams/recordStores.ts';
import { trackerGoneIf } from '../streams/streamErrors.ts';
import type { ReaderContext, StreamReader } from '../streams/streamReader.ts';
import { ticketItem } from './ticketRows.ts';

/** Reads the tickets of a repository's issue tracker (historic hosts only: facts 3.8), by key. */
export function createTicketReader(context: ReaderContext, newest: NewestStored | undefined): StreamReader {
  const list: KeyedList = { path: `/repositories/${context.source.fullName}/issues?pagelen=100` };
  const { database, scope } = context;
  const countRows = () =>
    database.transaction(scope.organizationId, (tx) => countTicketRows(tx, scope, 'tickets'));
  return {
    stream: 'tickets',
    begin: () => beginKeyed(context, newest),
    step: (position) =>
      keyedStep(list, parseKeyed(position), async (ended) => completeKeyed(ended, await countRows())),
    ahead: (stored) => {
      const position = parseKeyed(stored);
      return position.ended ? undefined : { path: keyedPath(list, position) };
    },
    read: (position, answer) =>
      readKeyed({ name: 'issues', schema: issueSchema, item: ticketItem }, parseKeyed(position), answer),
    store: storeOf('tickets', scope),
    witness: (position, place) => (doubtsEmptyList(context, parseKeyed(position)) ? place : undefined),
    oldest: (stored) =>
      oldestOfWalk(stored, {
        place: { path: `/repositories/${context.source.fullName}/issues/1?fields=id` },
        isLasting: false,
      }),
    mayBeOfAnother: (position) => mayListAnother(parseKeyed(position), countRows),
    recover: () => undefined,
    believedIf: (error) => trackerGoneIf('tickets', context.source, error),
  };
}
