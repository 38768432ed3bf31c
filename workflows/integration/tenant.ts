import type { OfIntegration } from '../contracts/tenant.ts';
import type { Entity } from './entity.ts';

/** What most activities are given first. */
export const tenantOf = ({ snapshot: { organizationId, integrationId } }: Entity): OfIntegration => ({
  organizationId,
  integrationId,
});
