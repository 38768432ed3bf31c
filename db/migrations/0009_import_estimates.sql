CREATE TABLE "import_estimate_repositories" (
	"organization_id" uuid NOT NULL,
	"estimate_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"place" integer NOT NULL,
	"stratum" integer NOT NULL,
	"weight" double precision NOT NULL,
	"done" boolean DEFAULT false NOT NULL,
	"requests" bigint DEFAULT 0 NOT NULL,
	"facts" jsonb DEFAULT '{}' NOT NULL,
	"finding" jsonb,
	"result" jsonb,
	CONSTRAINT "import_estimate_repositories_key" PRIMARY KEY("organization_id","estimate_id","repository_id")
);
--> statement-breakpoint
CREATE TABLE "import_estimates" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"mode" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"selection" jsonb NOT NULL,
	"repositories_total" integer,
	"result" jsonb,
	"error" jsonb,
	"waiting_since" timestamptz(6),
	"waiting_until" timestamptz(6),
	"waiting_reason" text,
	"started_by_key" uuid,
	"started_by_user" text,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"started_at" timestamptz(6),
	"finished_at" timestamptz(6),
	CONSTRAINT "import_estimates_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "import_estimates_mode" CHECK ("import_estimates"."mode" in ('changed', 'full')),
	CONSTRAINT "import_estimates_state" CHECK ("import_estimates"."state" in ('pending', 'running', 'rate_limited', 'done', 'failed'))
);
--> statement-breakpoint
ALTER TABLE "import_estimate_repositories" ADD CONSTRAINT "import_estimate_repositories_estimate" FOREIGN KEY ("organization_id","estimate_id") REFERENCES "public"."import_estimates"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_estimate_repositories" ADD CONSTRAINT "import_estimate_repositories_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_estimates" ADD CONSTRAINT "import_estimates_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "import_estimates_end" ON "import_estimates" USING btree ("created_at");--> statement-breakpoint
call protect_tenant_table('import_estimates');
--> statement-breakpoint
call protect_tenant_table('import_estimate_repositories');
--> statement-breakpoint
grant select, insert, update, delete on import_estimates, import_estimate_repositories to bucket_brigade_worker;
--> statement-breakpoint
grant select on import_estimates, import_estimate_repositories to bucket_brigade_api;
--> statement-breakpoint
-- The api takes a request back whose run never began.
grant insert, delete on import_estimates to bucket_brigade_api;
--> statement-breakpoint
-- Which tenants have estimates to remove is found before any tenant is chosen.
grant select (organization_id, created_at) on import_estimates to bucket_brigade_lookup;
--> statement-breakpoint
create policy lookup on import_estimates for select to bucket_brigade_lookup using (true);
--> statement-breakpoint
create function lookup_organizations_with_old_estimates() returns table (organization_id uuid)
language sql stable security definer set search_path = public, pg_temp
as $$
  select distinct e.organization_id from import_estimates e
  where e.created_at < clock_timestamp() - interval '24 hours' limit 1000
$$;
--> statement-breakpoint
grant create on schema public to bucket_brigade_lookup;
--> statement-breakpoint
alter function lookup_organizations_with_old_estimates() owner to bucket_brigade_lookup;
--> statement-breakpoint
revoke create on schema public from bucket_brigade_lookup;
--> statement-breakpoint
set local role bucket_brigade_lookup;
--> statement-breakpoint
revoke all on function lookup_organizations_with_old_estimates() from public;
--> statement-breakpoint
grant execute on function lookup_organizations_with_old_estimates() to bucket_brigade_worker;
--> statement-breakpoint
reset role;
