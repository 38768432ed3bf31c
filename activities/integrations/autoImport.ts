import { createJudge, type Judge } from '../../autoImport/decide.ts';
import type { AutoImportRule } from '../../autoImport/rules.ts';
import type { Database } from '../../db/client.ts';
import * as queries from '../../db/queries/autoImport.ts';
import { insertEvent } from '../../db/queries/events.ts';
import type { AutoImportActivities } from '../../workflows/contracts/autoImport.ts';
import { EngineError } from '../engineError.ts';
import { withHeartbeats } from '../heartbeats.ts';

/** Repositories judged at a time, between which other work of the process has its turn. */
const PAGE = 500;

type Input = Parameters<AutoImportActivities['storeAutoImport']>[0];

/** What the rules of an integration take becomes an import. May run again after its answer was lost. */
export function createAutoImportActivities({ database }: { database: Database }): AutoImportActivities {
  const read = (input: Input) =>
    database.transaction(input.organizationId, (tx) => queries.readRulesInForce(tx, input, { lock: false }));

  return {
    storeAutoImport: (input) =>
      withHeartbeats(async (signal) => {
        for (;;) {
          signal.throwIfAborted();
          const inForce = await read(input);
          if (inForce === undefined || inForce.state !== 'active') return { importIds: [], repositories: 0 };
          const { version, rules } = inForce;
          const chosen = rules.length === 0 ? [] : await judged(database, input, rules, signal);
          const stored = await store(database, input, { version, repositoryIds: chosen });
          if (stored !== 'changed_meanwhile') return stored;
        }
      }),
  };
}

/** Ids of the repositories that the rules take at this moment. */
async function judged(
  database: Database,
  input: Input,
  rules: readonly AutoImportRule[],
  signal: AbortSignal,
): Promise<string[]> {
  const judge = judgeBy(rules);
  const chosen: string[] = [];
  let after: queries.SightPlace | null = null;
  for (;;) {
    signal.throwIfAborted();
    const page: queries.Sight[] = await database.transaction(input.organizationId, (tx) =>
      queries.selectSights(tx, input, { after, limit: PAGE, open: true }),
    );
    for (const sight of page) if (judge(sight).reason === 'matches') chosen.push(sight.id);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return chosen;
    after = { key: last.key, id: last.id };
  }
}

/** Patterns are looked at when they are saved; one that is none in spite of that is nothing to try again. */
function judgeBy(rules: readonly AutoImportRule[]): Judge {
  try {
    return createJudge(rules, Date.now());
  } catch {
    throw new EngineError('auto_import_rules_unusable', {
      code: 'auto_import_rules_unusable',
      message: 'A pattern of the saved auto-import rules cannot be read.',
      remedy: 'Save the rules again; what is wrong with them is said then.',
    });
  }
}

/** Stores the import if nobody changed the rules meanwhile, with an entry in the feed. */
async function store(
  database: Database,
  input: Input,
  judgement: { version: number | null; repositoryIds: readonly string[] },
): Promise<{ importIds: string[]; repositories: number } | 'changed_meanwhile'> {
  const { organizationId, integrationId, importId } = input;
  const { version, repositoryIds } = judgement;
  return database.transaction(organizationId, async (tx) => {
    const inForce = await queries.readRulesInForce(tx, input, { lock: true });
    if (inForce === undefined || inForce.state !== 'active') return { importIds: [], repositories: 0 };
    if (inForce.version !== version) return 'changed_meanwhile';
    let repositories = 0;
    if (repositoryIds.length > 0 && !(await queries.hasImport(tx, importId))) {
      repositories = await queries.insertAutoImport(tx, input, { importId, repositoryIds });
    }
    if (repositories > 0) {
      const data = { repositories };
      const type = 'auto_import_started';
      await insertEvent(tx, { organizationId, integrationId, importId, type, data });
    }
    return { importIds: await queries.selectUnbegun(tx, input), repositories };
  });
}
