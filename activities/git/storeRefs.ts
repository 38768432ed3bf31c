import { escapeText } from '../../db/text.ts';
import type { Database } from '../../db/client.ts';
import type { StoredCheckpoint } from '../../db/queries/checkpoints.ts';
import { writeStreamCounts } from '../../db/queries/importProgress.ts';
import { countRefs, replaceBranches, replaceTags, type TagRow } from '../../db/queries/refs.ts';
import { advance, markStream } from '../checkpoint.ts';
import type { Refs, Tag } from './refs.ts';

export interface RefsImport {
  organizationId: string;
  repositoryId: string;
  importId: string;
  checkpoint: StoredCheckpoint;
  refs: Refs;
  /** Postgres' clock before the host was asked */
  observedAt: string;
}

/**
 * Makes the stored branches and tags those of the snapshot, in one transaction with their checkpoint. Returns
 * how many there are.
 */
export async function storeRefs(database: Database, run: RefsImport): Promise<number> {
  const { organizationId, repositoryId, importId, checkpoint, refs, observedAt } = run;
  const stream = { organizationId, repositoryId, importId, stream: 'refs' as const, epoch: checkpoint.epoch };
  const count = refs.branches.length + refs.tags.length;
  const branches = refs.branches.map(({ name, targetHash }) => ({ name, target_hash: targetHash }));
  const tags = refs.tags.map(tagRow);
  await database.transaction(organizationId, async (tx) => {
    await advance(tx, {
      ...stream,
      expectedPosition: checkpoint.position,
      position: null,
      watermark: observedAt,
      progress: {},
    });
    await replaceBranches(tx, { organizationId, repositoryId, observedAt, branches });
    await replaceTags(tx, { organizationId, repositoryId, observedAt, tags });
    const counts = {
      expected: count,
      stored: await countRefs(tx, run),
      quarantined: 0,
      gone: 0,
      notPermitted: 0,
    };
    await writeStreamCounts(tx, stream, { ...counts, basis: 'snapshot' });
    await markStream(tx, stream, { state: 'healthy', error: null });
  });
  return count;
}

function tagRow(tag: Tag): TagRow {
  const escaped = (text: string | null) => (text === null ? null : escapeText(text));
  return {
    name: tag.name,
    target_hash: tag.targetHash,
    annotated: tag.annotated,
    message: escaped(tag.message),
    tagger_name: escaped(tag.taggerName),
    tagger_email: escaped(tag.taggerEmail),
    tagged_at: tag.taggedAt,
  };
}
