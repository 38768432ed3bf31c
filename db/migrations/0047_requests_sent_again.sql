ALTER TABLE "idempotency_keys" ADD COLUMN "first_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD COLUMN "over_at" timestamptz(6);