/**
 * What activities take and give, in the files of this folder: ids and counters only, never rows, never secrets.
 * Workflows know the activities by these types alone. Here: whose data it is about.
 */

export interface Tenant {
  organizationId: string;
}
export interface OfIntegration extends Tenant {
  integrationId: string;
}
export interface OfRepository extends OfIntegration {
  repositoryId: string;
}
