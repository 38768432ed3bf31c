ALTER TABLE "integration_polls" ADD COLUMN "last_run" text;--> statement-breakpoint
ALTER TABLE "integration_polls" ADD COLUMN "last_place" text;--> statement-breakpoint
ALTER TABLE "workspace_polls" ADD COLUMN "authors_refused_at" timestamptz(6);