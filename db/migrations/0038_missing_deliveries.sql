ALTER TABLE "repository_syncs" ADD COLUMN "push_awaited" timestamptz(6);--> statement-breakpoint
ALTER TABLE "repository_syncs" ADD COLUMN "pull_request_awaited" timestamptz(6);--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "watching_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "missing_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "missing_changes" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "missing_changed_at" timestamptz(6);--> statement-breakpoint
CREATE INDEX "repository_syncs_awaited" ON "repository_syncs" USING btree ("organization_id","repository_id") WHERE "repository_syncs"."push_awaited" is not null or "repository_syncs"."pull_request_awaited" is not null;--> statement-breakpoint
CREATE INDEX "webhooks_missing" ON "webhooks" USING btree ("organization_id","integration_id") WHERE "webhooks"."missing_since" is not null;