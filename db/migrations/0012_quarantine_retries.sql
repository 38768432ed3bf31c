CREATE TABLE "quarantine_retries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"filter" jsonb NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"place" jsonb,
	"tried" integer DEFAULT 0 NOT NULL,
	"stored" integer DEFAULT 0 NOT NULL,
	"error" jsonb,
	"started_by_key" uuid,
	"started_by_user" text,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"started_at" timestamptz(6),
	"finished_at" timestamptz(6),
	CONSTRAINT "quarantine_retries_state" CHECK ("quarantine_retries"."state" in ('pending', 'running', 'done', 'failed'))
);
--> statement-breakpoint
ALTER TABLE "quarantine" ADD COLUMN "import_id" uuid;--> statement-breakpoint
ALTER TABLE "quarantine_retries" ADD CONSTRAINT "quarantine_retries_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "quarantine_of_stream" ON "quarantine" USING btree ("organization_id","repository_id","stream","id");
--> statement-breakpoint
call protect_tenant_table('quarantine_retries');
--> statement-breakpoint
grant select, insert, update, delete on quarantine_retries to bucket_brigade_worker;
--> statement-breakpoint
-- A retry whose run could not be started is taken back.
grant select, insert, delete on quarantine_retries to bucket_brigade_api;
