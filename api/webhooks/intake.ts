import type { Database } from '../../db/client.ts';
import type { Secret } from '../../platform/secrets/secret.ts';
import { createDeliveryWriter, type DeliveryWriter } from './deliveryWriter.ts';
import { createHookDirectory, type HookDirectory } from './hookDirectory.ts';

/** What the receiver of webhooks keeps between requests. */
export interface WebhookIntake {
  hooks: HookDirectory;
  writer: DeliveryWriter;
}

export const createWebhookIntake = (options: { database: Database; webhookKey: Secret }): WebhookIntake => ({
  hooks: createHookDirectory(options.database, options.webhookKey),
  writer: createDeliveryWriter(options.database),
});
