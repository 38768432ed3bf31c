import { escapeText, unescapeText } from '../../db/text.ts';
import type { Database } from '../../db/client.ts';
import type { StoredCheckpoint } from '../../db/queries/checkpoints.ts';
import { writeStreamCounts } from '../../db/queries/importProgress.ts';
import {
  type QuarantinedRecord,
  quarantineRecords,
  releaseOtherQuarantined,
} from '../../db/queries/quarantine.ts';
import { countRefs, replaceBranches, replaceTags, type TagRow } from '../../db/queries/refs.ts';
import { advance, markStream } from '../streams/checkpoint.ts';
import { PageRefused } from '../streams/pageRefused.ts';
import { storeOf } from '../streams/recordStores.ts';
import { findOffenders, isNobodyToBlame, isRefusedData } from '../streams/storeItems.ts';
import type { Item } from '../streams/streamReader.ts';
import type { Branch, Refs, Tag } from './refs.ts';

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
 * Makes the stored branches and tags those of the snapshot, in one transaction with their checkpoint. What Postgres
 * refuses goes to quarantine: a name that git takes may be too long for an index. Returns how many are stored. Throws
 * Fenced, and PageRefused for data that no ref is to blame for.
 */
export async function storeRefs(database: Database, run: RefsImport): Promise<number> {
  try {
    return await replaceRefs(database, run, []);
  } catch (error) {
    if (!isRefusedData(error)) throw error;
    const refused = await findRefused(database, run);
    if (refused.length === 0) throw new PageRefused('refs', error);
    return await replaceRefs(database, run, refused);
  }
}

async function replaceRefs(
  database: Database,
  run: RefsImport,
  refused: readonly QuarantinedRecord[],
): Promise<number> {
  const { organizationId, repositoryId, importId, checkpoint, refs, observedAt } = run;
  const stream = { organizationId, repositoryId, importId, stream: 'refs' as const, epoch: checkpoint.epoch };
  const refusedKeys = refused.map(({ key }) => key);
  const without = new Set(refusedKeys);
  const branches = refs.branches.filter((branch) => !without.has(keyOfBranch(branch))).map(branchRow);
  const tags = refs.tags.filter((tag) => !without.has(keyOfTag(tag))).map(tagRow);
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
    await quarantineRecords(tx, stream, refused, { requestPath: null, observedAt });
    await releaseOtherQuarantined(tx, stream, refusedKeys);
    const counts = {
      expected: refs.branches.length + refs.tags.length,
      stored: (await countRefs(tx, run)).rows,
      quarantined: refused.length,
      gone: 0,
      notPermitted: 0,
    };
    await writeStreamCounts(tx, stream, { ...counts, basis: 'snapshot' });
    await markStream(tx, stream, { state: 'healthy', error: null });
  });
  return branches.length + tags.length;
}

/** The refs that Postgres refuses one by one, each with its reason; none where the refusal is not about single refs. */
async function findRefused(database: Database, run: RefsImport): Promise<QuarantinedRecord[]> {
  const { refs, observedAt } = run;
  const items = [
    ...refs.branches.map((branch) => branchItem(branch, observedAt)),
    ...refs.tags.map((tag) => tagItem(tag, observedAt)),
  ];
  const offenders = await findOffenders(database, storeOf('refs', run), run.organizationId, items);
  if (isNobodyToBlame(offenders, items)) return [];
  return [...offenders].map(([item, reason]) => ({
    key: item.key,
    raw: Buffer.from(JSON.stringify(item.raw)),
    reason,
    index: items.indexOf(item),
    parent: null,
  }));
}

const keyOfBranch = ({ name }: Branch): string => `branch/${name}`;
const keyOfTag = ({ name }: Tag): string => `tag/${name}`;

/** As the host's own list would show it, so that it can be tried again from quarantine. */
const rawOf = (type: 'branch' | 'tag', { name, targetHash }: Branch) => ({
  type,
  name: unescapeText(name),
  target: { hash: targetHash },
});

const branchItem = (branch: Branch, observedAt: string): Item => ({
  key: keyOfBranch(branch),
  raw: rawOf('branch', branch),
  row: { ...branchRow(branch), observed_at: observedAt },
  accounts: [],
});

const tagItem = (tag: Tag, observedAt: string): Item => ({
  key: keyOfTag(tag),
  raw: { ...rawOf('tag', tag), message: tag.message, date: tag.taggedAt, tagger: taggerOf(tag) },
  row: { ...tagRow(tag), observed_at: observedAt },
  accounts: [],
});

const taggerOf = ({ taggerName, taggerEmail }: Tag) =>
  taggerName === null ? null : { raw: `${taggerName} <${taggerEmail ?? ''}>` };

const branchRow = ({ name, targetHash }: Branch) => ({ name, target_hash: targetHash });

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
