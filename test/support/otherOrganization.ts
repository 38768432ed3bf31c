import type { Role } from '../../db/schema/tenancy.ts';
import { verifyOrganization } from '../../scripts/oracle/verifyOrganization.ts';
import type { Stack } from './stack.ts';

/** The same stack as another new tenant sees it: its own key signs, its own rows are verified. */
export async function otherOrganization(stack: Stack, role: Role = 'admin'): Promise<Stack> {
  const organization = await stack.addOrganization(role);
  return {
    ...stack,
    ...organization,
    call: (method, path, body, headers = {}) =>
      stack.call(method, path, body, { authorization: `Bearer ${organization.apiKey}`, ...headers }),
    verify: () =>
      verifyOrganization({
        database: stack.rows,
        organizationId: organization.organizationId,
        simulatorUrl: stack.simulator.url,
      }),
  };
}
