import { selectUnknownWorkspaces } from '../db/queries/api/autoImport.ts';
import { refuseByState } from '../workflows/integration/rules.ts';
import type { IntegrationRow } from '../db/queries/api/integrations.ts';
import type { ApiEnv } from './dependencies.ts';
import { invalidRequest } from './problem.ts';
import { refuse } from './refuse.ts';

/** Refuses excluded owners that are no workspaces which the integration sees (422), and whatever its state forbids (409). */
export async function refuseOwners(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  integration: IntegrationRow,
  ids: readonly string[],
): Promise<void> {
  refuse(refuseByState('changeAutoImport', integration.state));
  const of = { integrationId: integration.id, ids };
  const unknown = await dependencies.database.read(principal.organizationId, (tx) =>
    selectUnknownWorkspaces(tx, of),
  );
  if (unknown.length === 0) return;
  throw invalidRequest(
    422,
    unknown.map((id) => ({
      location: `body.excluded_owners.${ids.indexOf(id)}`,
      message: `${id} is no workspace that this integration sees.`,
      fix: `Choose ids from GET /v1/integrations/${integration.id}/workspaces; discover again if it is new.`,
    })),
  );
}
