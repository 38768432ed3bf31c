import type { OfIntegration } from './tenant.ts';

/** Rows of auto-import. Queue: ingestion. */
export interface AutoImportActivities {
  /**
   * Stores an import of what the integration's rules take at this moment, under this id; `repositories`: how many that are.
   * Repeatable: what an import took up once no rule takes again. Answers the auto-imports whose run is to be started, with
   * those that wait for it from before. None while the integration is not active. Throws `auto_import_rules_unusable`
   * (non-retryable).
   */
  storeAutoImport(
    input: OfIntegration & { importId: string },
  ): Promise<{ importIds: string[]; repositories: number }>;
}
