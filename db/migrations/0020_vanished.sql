CREATE TABLE "repository_names" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"full_name" text NOT NULL,
	"replaced_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "repository_names_organization_id_repository_id_full_name_pk" PRIMARY KEY("organization_id","repository_id","full_name")
);
--> statement-breakpoint
ALTER TABLE "integrations" ADD COLUMN "discovery_started_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "found_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL;--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "presence" text DEFAULT 'present' NOT NULL;--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "presence_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "missing_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "suspected_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "asked_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD COLUMN "kept_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_workspaces" ADD COLUMN "listed_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_workspaces" ADD COLUMN "missing_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "repository_names" ADD CONSTRAINT "repository_names_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "integration_repositories_missing" ON "integration_repositories" USING btree ("organization_id","integration_id","repository_id") WHERE "integration_repositories"."missing_since" is not null;--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD CONSTRAINT "integration_repositories_presence" CHECK ("integration_repositories"."presence" in ('present', 'gone', 'no_access'));
--> statement-breakpoint
call protect_tenant_table('repository_names');
--> statement-breakpoint
grant select, insert, update, delete on repository_names to bucket_brigade_worker;
--> statement-breakpoint
grant select on repository_names to bucket_brigade_api;
