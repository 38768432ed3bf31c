CREATE TABLE "integration_polls" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"effective_interval_ms" integer,
	"last_started_at" timestamptz(6),
	"last_finished_at" timestamptz(6),
	"requests" integer DEFAULT 0 NOT NULL,
	"found" integer DEFAULT 0 NOT NULL,
	"last_error" jsonb,
	CONSTRAINT "integration_polls_organization_id_integration_id_pk" PRIMARY KEY("organization_id","integration_id")
);
--> statement-breakpoint
CREATE TABLE "workspace_authors" (
	"organization_id" uuid NOT NULL,
	"workspace_id" uuid NOT NULL,
	"author_uuid" text NOT NULL,
	"seen_at" timestamptz(6) NOT NULL,
	"refused_at" timestamptz(6),
	CONSTRAINT "workspace_authors_organization_id_workspace_id_author_uuid_pk" PRIMARY KEY("organization_id","workspace_id","author_uuid")
);
--> statement-breakpoint
CREATE TABLE "workspace_polls" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"workspace_id" uuid NOT NULL,
	"since" timestamptz(6),
	"members_read_at" timestamptz(6),
	"method" text,
	CONSTRAINT "workspace_polls_organization_id_integration_id_workspace_id_pk" PRIMARY KEY("organization_id","integration_id","workspace_id"),
	CONSTRAINT "workspace_polls_method" CHECK ("workspace_polls"."method" in ('authors', 'repositories'))
);
--> statement-breakpoint
ALTER TABLE "commits" ADD COLUMN "unreachable_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "repository_syncs" ADD COLUMN "pushed_on" timestamptz(6);--> statement-breakpoint
ALTER TABLE "repository_syncs" ADD COLUMN "polled_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "repository_syncs" ADD COLUMN "rotated_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "integration_polls" ADD CONSTRAINT "integration_polls_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_authors" ADD CONSTRAINT "workspace_authors_workspace" FOREIGN KEY ("organization_id","workspace_id") REFERENCES "public"."workspaces"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_polls" ADD CONSTRAINT "workspace_polls_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspace_polls" ADD CONSTRAINT "workspace_polls_workspace" FOREIGN KEY ("organization_id","workspace_id") REFERENCES "public"."workspaces"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "commits_unreachable" ON "commits" USING btree ("organization_id","repository_id") WHERE "commits"."unreachable_since" is not null;
--> statement-breakpoint
call protect_tenant_table('integration_polls');
--> statement-breakpoint
call protect_tenant_table('workspace_polls');
--> statement-breakpoint
call protect_tenant_table('workspace_authors');
--> statement-breakpoint
grant select, insert, update, delete on integration_polls, workspace_polls, workspace_authors to bucket_brigade_worker;
--> statement-breakpoint
grant select on integration_polls to bucket_brigade_api;
