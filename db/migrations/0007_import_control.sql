ALTER TABLE "imports" ADD COLUMN "paused_by_person_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "cancel_requested_at" timestamptz(6);