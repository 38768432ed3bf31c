import { readPassedReport } from '../db/queries/api/checks.ts';
import type { IntegrationRow } from '../db/queries/api/integrations.ts';
import { unescapeJson } from '../db/text.ts';
import { refuseByState } from '../workflows/integration/rules.ts';
import type { Service } from '../workflows/words.ts';
import type { ApiEnv } from './dependencies.ts';
import { Problem, type ProblemError } from './problem.ts';
import { refuse } from './refuse.ts';
import { reportSchema } from './schemas/report.ts';

/**
 * Refuses services that the credential does not allow, with the scopes that each one lacks (422): the workflow judges
 * again, and knows only that they are not allowed.
 */
export async function refuseServices(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  integration: IntegrationRow,
  services: readonly Service[],
): Promise<void> {
  refuse(refuseByState('changeServices', integration.state));
  const { services: on, allowedServices } = integration;
  const refused = services.filter((service) => !on.includes(service) && !allowedServices.includes(service));
  if (refused.length === 0) return;
  const stored = await dependencies.database.read(principal.organizationId, (tx) =>
    readPassedReport(tx, integration.id),
  );
  const report = reportSchema.safeParse(unescapeJson(stored));
  const reports = report.success ? report.data.services : [];
  throw new Problem({
    status: 422,
    code: 'service_not_allowed',
    detail: `The credential does not allow: ${refused.join(', ')}.`,
    fix: 'Mend what `errors` lists, and send the request again.',
    errors: refused.map((service) => ({
      location: `body.services.${services.indexOf(service)}`,
      ...whatIsMissing(
        service,
        reports.find((one) => one.service === service),
      ),
    })),
  });
}

function whatIsMissing(
  service: Service,
  report: { status: string; missing_scopes: string[] } | undefined,
): Omit<ProblemError, 'location'> {
  if (report?.status === 'unavailable') {
    return {
      message: `The host does not have what ${service} brings in any more.`,
      fix: 'Leave it out.',
    };
  }
  const scopes = report?.missing_scopes ?? [];
  if (scopes.length === 0) {
    return {
      message: `The last check did not find that the credential allows ${service}.`,
      fix: 'Submit the credential again: its check says what is missing.',
    };
  }
  return {
    message: `For ${service} the credential lacks: ${scopes.join(', ')}.`,
    fix: 'Submit a credential with these scopes, then switch the service on.',
  };
}
