CREATE TABLE "repository_syncs" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"last_sync_id" uuid,
	"last_attempt_at" timestamptz(6),
	"last_success_at" timestamptz(6),
	"failures" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamptz(6),
	"last_error" jsonb,
	"next_attempt_at" timestamptz(6),
	"missed" text[],
	CONSTRAINT "repository_syncs_organization_id_repository_id_pk" PRIMARY KEY("organization_id","repository_id")
);
--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "kind" text DEFAULT 'import' NOT NULL;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "services" text[];--> statement-breakpoint
ALTER TABLE "repository_syncs" ADD CONSTRAINT "repository_syncs_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "repository_syncs_parked" ON "repository_syncs" USING btree ("organization_id","next_attempt_at");--> statement-breakpoint
ALTER TABLE "imports" ADD CONSTRAINT "imports_kind" CHECK ("imports"."kind" in ('import', 'sync'));
--> statement-breakpoint
call protect_tenant_table('repository_syncs');
--> statement-breakpoint
grant select, insert, update, delete on repository_syncs to bucket_brigade_worker;
--> statement-breakpoint
grant select on repository_syncs to bucket_brigade_api;
