CREATE TABLE "sync_ranges" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"since" timestamptz(6) NOT NULL,
	CONSTRAINT "sync_ranges_organization_id_repository_id_pk" PRIMARY KEY("organization_id","repository_id")
);
--> statement-breakpoint
ALTER TABLE "sync_ranges" ADD CONSTRAINT "sync_ranges_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
call protect_tenant_table('sync_ranges');
--> statement-breakpoint
-- The api asks, and the worker takes.
grant select, insert, update on sync_ranges to bucket_brigade_api;
--> statement-breakpoint
grant select, delete on sync_ranges to bucket_brigade_worker;
