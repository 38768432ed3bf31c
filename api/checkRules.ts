import type { WantedRule } from '../autoImport/rules.ts';
import { selectRuleTargets } from '../db/queries/api/autoImport.ts';
import type { Transaction } from '../db/client.ts';
import { invalidRequest, type ProblemError } from './problem.ts';

/**
 * What a rule is about must be seen by the integration, and be none of its excluded owners, which nothing is imported of.
 * Ids of others are as unknown as ids that never were. Throws a 422 problem that lists every such rule.
 */
export async function checkRules(
  tx: Transaction,
  integrationId: string,
  rules: readonly WantedRule[],
): Promise<void> {
  const workspaceIds = rules.flatMap(({ workspaceId }) => workspaceId ?? []);
  const projectIds = rules.flatMap(({ projectId }) => projectId ?? []);
  const targets = await selectRuleTargets(tx, { integrationId, workspaceIds, projectIds });
  const found = new Map(targets.map((target) => [target.id, target]));
  const errors = rules.flatMap(({ workspaceId, projectId }, place): ProblemError[] => {
    const [field, list] = projectId === null ? ['workspace_id', 'workspaces'] : ['project_id', 'projects'];
    const location = `body.rules.${place}.${field}`;
    const id = projectId ?? workspaceId ?? '';
    const target = found.get(id);
    if (target === undefined) {
      return [
        {
          location,
          message: `${id} is not among the ${list} that this integration sees.`,
          fix: `Choose an id from GET /v1/integrations/${integrationId}/${list}; discover again if it is new.`,
        },
      ];
    }
    if (!target.excluded) return [];
    return [
      {
        location,
        message: 'This is of one of the excluded owners, of which nothing is imported by itself.',
        fix: 'Leave the rule out, or take the workspace out of `excluded_owners` with PATCH first.',
      },
    ];
  });
  if (errors.length > 0) throw invalidRequest(422, errors);
}
