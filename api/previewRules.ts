import { createJudge, noneCounted } from '../autoImport/decide.ts';
import type { AutoImportRule } from '../autoImport/rules.ts';
import { selectSights, type Sight, type SightPlace } from '../db/queries/autoImport.ts';
import type { Database } from '../db/client.ts';
import { presentSight } from './schemas/autoImport.ts';

/** Repositories judged at a time: milliseconds, between which other requests have their turn. */
const PAGE = 500;

/**
 * Judges everything that the integration sees. Answers the counts, and of those that are asked for (`taken`) the first
 * `limit` behind `after`, with one row more where there are further ones.
 */
export async function previewRules(
  database: Database,
  of: { organizationId: string; integrationId: string },
  rules: readonly AutoImportRule[],
  page: { after: SightPlace | null; limit: number; taken: boolean | undefined },
) {
  const judge = createJudge(rules, Date.now());
  const reasons = noneCounted();
  const shown: { sight: Sight; row: ReturnType<typeof presentSight> }[] = [];
  let repositories = 0;
  let place: SightPlace | null = null;
  for (;;) {
    const after: SightPlace | null = place;
    const sights: Sight[] = await database.transaction(of.organizationId, (tx) =>
      selectSights(tx, of, { after, limit: PAGE, open: false, mark: page.after }),
    );
    for (const sight of sights) {
      const row = presentSight(sight, judge(sight));
      reasons[row.reason] += 1;
      repositories += 1;
      const isWanted = page.taken === undefined || page.taken === row.taken;
      if (sight.isBehind && isWanted && shown.length <= page.limit) shown.push({ sight, row });
    }
    const last = sights.at(-1);
    if (last === undefined || sights.length < PAGE) break;
    place = { key: last.key, id: last.id };
  }
  return { counts: { repositories, taken: reasons.matches, reasons }, shown };
}
