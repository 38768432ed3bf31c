import type { UpdateDefinition } from '@temporalio/common';
import type { IntegrationRow } from '../db/queries/api/integrations.ts';
import type { ApiEnv } from './dependencies.ts';
import { repeated } from './repeated.ts';
import { snapshotOf } from './snapshot.ts';

type Variables = Pick<ApiEnv['Variables'], 'dependencies' | 'principal' | 'claim'>;

/**
 * Carries out a person's command on an integration. The same request sent again with its Idempotency-Key joins what the
 * first one sent. Throws Problems: 404, 409, 503.
 *
 * @example
 * await commandIntegration(c.var, messages.pause, integration, { actor: actorOf(c.var.principal) });
 */
export const commandIntegration = <Answer, Args>(
  variables: Variables,
  definition: UpdateDefinition<Answer, [Args]>,
  integration: IntegrationRow,
  args: Args,
): Promise<Answer> =>
  variables.dependencies.orchestrator.command(
    definition,
    snapshotOf(integration),
    args,
    repeated(variables, definition.name),
  );
