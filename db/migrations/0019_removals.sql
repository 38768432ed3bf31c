CREATE TABLE "removals" (
	"organization_id" uuid NOT NULL,
	"subject_id" uuid NOT NULL,
	"integration_id" uuid,
	"repository_id" uuid,
	"step" text DEFAULT 'stopping' NOT NULL,
	"rows_total" bigint,
	"rows_removed" bigint DEFAULT 0 NOT NULL,
	"requested_by_key" uuid,
	"requested_by_user" text,
	"requested_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "removals_organization_id_subject_id_pk" PRIMARY KEY("organization_id","subject_id"),
	CONSTRAINT "removals_of_integration" UNIQUE("organization_id","integration_id"),
	CONSTRAINT "removals_of_repository" UNIQUE("organization_id","repository_id"),
	CONSTRAINT "removals_step" CHECK ("removals"."step" in ('stopping', 'webhooks', 'counting', 'purging')),
	CONSTRAINT "removals_subject" CHECK (num_nonnulls("removals"."integration_id", "removals"."repository_id") = 1 and "removals"."subject_id" = coalesce("removals"."integration_id", "removals"."repository_id"))
);
--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "removed_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "removals" ADD CONSTRAINT "removals_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "removals" ADD CONSTRAINT "removals_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "oauth_flows_of_integration" ON "oauth_flows" USING btree ("organization_id","integration_id");--> statement-breakpoint
CREATE INDEX "integration_repositories_of_repository" ON "integration_repositories" USING btree ("organization_id","repository_id");--> statement-breakpoint
CREATE INDEX "integration_workspaces_of_workspace" ON "integration_workspaces" USING btree ("organization_id","workspace_id");--> statement-breakpoint
CREATE INDEX "projects_of_workspace" ON "projects" USING btree ("organization_id","workspace_id");--> statement-breakpoint
CREATE INDEX "repositories_of_project" ON "repositories" USING btree ("organization_id","project_id");--> statement-breakpoint
CREATE INDEX "repositories_of_workspace" ON "repositories" USING btree ("organization_id","workspace_id");--> statement-breakpoint
CREATE INDEX "quarantine_retries_of_integration" ON "quarantine_retries" USING btree ("organization_id","integration_id");--> statement-breakpoint
CREATE INDEX "import_estimate_repositories_of_repository" ON "import_estimate_repositories" USING btree ("organization_id","repository_id");--> statement-breakpoint
CREATE INDEX "import_estimates_of_integration" ON "import_estimates" USING btree ("organization_id","integration_id");--> statement-breakpoint
CREATE INDEX "workspace_polls_of_workspace" ON "workspace_polls" USING btree ("organization_id","workspace_id");--> statement-breakpoint
CREATE INDEX "webhook_wakes_of_repository" ON "webhook_wakes" USING btree ("organization_id","repository_id");--> statement-breakpoint
CREATE INDEX "webhooks_of_integration" ON "webhooks" USING btree ("organization_id","integration_id","id");--> statement-breakpoint
CREATE INDEX "webhooks_by_repository" ON "webhooks" USING btree ("organization_id","repository_id");--> statement-breakpoint
CREATE INDEX "webhooks_by_workspace" ON "webhooks" USING btree ("organization_id","workspace_id");
--> statement-breakpoint
call protect_tenant_table('removals');
--> statement-breakpoint
grant select, insert, update, delete on removals to bucket_brigade_worker;
--> statement-breakpoint
grant select on removals to bucket_brigade_api;
