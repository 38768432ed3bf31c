CREATE TABLE "auto_import" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"rules" jsonb NOT NULL,
	"updated_by_key" uuid,
	"updated_by_user" text,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "auto_import_organization_id_integration_id_pk" PRIMARY KEY("organization_id","integration_id")
);
--> statement-breakpoint
ALTER TABLE "integration_workspaces" ADD COLUMN "excluded" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "auto_import" ADD CONSTRAINT "auto_import_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
call protect_tenant_table('auto_import');
--> statement-breakpoint
-- The api stores what people ask for; the worker reads it, and removes it with its integration.
grant select, insert, update on auto_import to bucket_brigade_api;
--> statement-breakpoint
grant select, delete on auto_import to bucket_brigade_worker;
--> statement-breakpoint
grant update (excluded) on integration_workspaces to bucket_brigade_api;
