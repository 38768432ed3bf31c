ALTER TABLE "branches" ADD COLUMN "missing_since" timestamptz(6);--> statement-breakpoint
ALTER TABLE "tags" ADD COLUMN "missing_since" timestamptz(6);