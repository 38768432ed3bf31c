ALTER TABLE "import_repositories" ADD COLUMN "read_by" uuid;--> statement-breakpoint
ALTER TABLE "import_repositories" ADD COLUMN "retries" integer DEFAULT 0 NOT NULL;