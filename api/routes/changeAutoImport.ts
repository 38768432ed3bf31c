import { readSavedRules, saveRules } from '../../db/queries/api/autoImport.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import * as messages from '../../workflows/messages.ts';
import { checkRules } from '../checkRules.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { refuse } from '../refuse.ts';
import { autoImportBody, autoImportSchema, presentAutoImport, wantedOf } from '../schemas/autoImport.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'put',
  path: '/v1/integrations/{id}/auto-import',
  operationId: 'changeAutoImport',
  summary: 'Change the auto-import rules',
  description:
    'Which repositories are imported by themselves once a discovery finds them. What the rules take at this moment is imported at once, or when a paused integration goes on; preview them first. What a person removed, and what an import took up before, is left alone.',
  tags: ['Auto-import'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(autoImportBody) },
  responses: { 200: answer(autoImportSchema, 'The rules as they are saved.') },
  problems: [409],
  problemTexts: {
    409: 'The present state does not allow this, or somebody else changed the rules meanwhile (`changed_meanwhile`); `fix` says what to do.',
  },
});

export function addChangeAutoImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { version: expected, rules } = c.req.valid('json');
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    refuse(refuseByState('changeAutoImport', integration.state));
    if (rules.length > 0 && integration.lastDiscoveryAt === null) throw notDiscovered(integration.id);
    const wanted = rules.map(wantedOf);
    const { dependencies, principal } = c.var;
    const { organizationId } = principal;
    const of = { organizationId, integrationId: integration.id };
    const saved = await dependencies.database.transaction(organizationId, async (tx) => {
      await checkRules(tx, integration.id, wanted);
      const result = await saveRules(tx, { ...of, ...actorOf(principal), expected, wanted });
      if (result.outcome === 'changed_meanwhile') {
        throw changedMeanwhile(integration.id, expected, result.version);
      }
      if (result.outcome === 'saved') {
        const details = { version: result.version, rules: wanted.length };
        const actor = actorOf(principal);
        await insertAuditEvent(tx, { ...of, action: 'auto_import_changed', actor, details });
      }
      return readSavedRules(tx, integration.id);
    });
    // Also where they are the same: the answer may have got lost before this was sent.
    await commandIntegration({ dependencies, principal }, messages.applyAutoImport, integration, {
      actor: actorOf(principal),
    });
    return c.json(presentAutoImport(saved), 200);
  });
}

/** What its first discovery finds is not new, but would look so. */
const notDiscovered = (integrationId: string): Problem =>
  new Problem({
    status: 409,
    code: 'not_discovered',
    detail: 'The first discovery of this integration has not ended yet, so nothing can be told to be new.',
    fix: `Wait until \`discovery.last_at\` of GET /v1/integrations/${integrationId} is there, then save the rules.`,
  });

const changedMeanwhile = (integrationId: string, expected: number, version: number): Problem =>
  new Problem({
    status: 409,
    code: 'changed_meanwhile',
    detail: `The rules were changed by somebody else: version ${version} is saved, and the change is to version ${expected}.`,
    fix: `Read them again with GET /v1/integrations/${integrationId}/auto-import, then repeat the change with that version if it is still wanted.`,
  });
