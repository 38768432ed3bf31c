CREATE TABLE "source_gaps" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"stream" text NOT NULL,
	"number" integer NOT NULL,
	"records" integer NOT NULL,
	"reason" text NOT NULL,
	"version" timestamptz(6) NOT NULL,
	"at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "source_gaps_organization_id_repository_id_stream_number_pk" PRIMARY KEY("organization_id","repository_id","stream","number"),
	CONSTRAINT "source_gaps_reason" CHECK ("source_gaps"."reason" in ('not_listed', 'gone', 'not_permitted'))
);
--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "gone" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "not_permitted" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "method" text;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "notes" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "quarantine" ADD COLUMN "request_path" text;--> statement-breakpoint
ALTER TABLE "quarantine" ADD COLUMN "page_index" integer;--> statement-breakpoint
ALTER TABLE "quarantine" ADD COLUMN "parent_number" integer;--> statement-breakpoint
ALTER TABLE "quarantine" ADD COLUMN "observed_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "source_gaps" ADD CONSTRAINT "source_gaps_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "quarantine_page" ON "quarantine" USING btree ("organization_id","id");
--> statement-breakpoint
call protect_tenant_table('source_gaps');
--> statement-breakpoint
grant select, insert, update, delete on source_gaps to bucket_brigade_worker;
--> statement-breakpoint
grant select on source_gaps to bucket_brigade_api;
