/** Whose polls: every statement names the tenant and the integration for the keys. */
export interface OfIntegration {
  organizationId: string;
  integrationId: string;
}
export interface OfWorkspace extends OfIntegration {
  workspaceId: string;
}
