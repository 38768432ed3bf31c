CREATE TABLE "webhook_upkeep" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"wanted" boolean NOT NULL,
	"generation" integer DEFAULT 1 NOT NULL,
	"command_id" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"error" jsonb,
	"waiting_until" timestamptz(6),
	"waiting_reason" text,
	"last_round_at" timestamptz(6),
	"next_round_at" timestamptz(6),
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "webhook_upkeep_organization_id_integration_id_pk" PRIMARY KEY("organization_id","integration_id"),
	CONSTRAINT "webhook_upkeep_state" CHECK ("webhook_upkeep"."state" in ('pending', 'running', 'rate_limited', 'done', 'failed'))
);
--> statement-breakpoint
ALTER TABLE "webhook_upkeep" ADD CONSTRAINT "webhook_upkeep_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
call protect_tenant_table('webhook_upkeep');
--> statement-breakpoint
grant select, insert, update, delete on webhook_upkeep to bucket_brigade_worker;
--> statement-breakpoint
grant select on webhook_upkeep to bucket_brigade_api;
