ALTER TABLE "import_repositories" ADD COLUMN "read_by" uuid;--> statement-breakpoint
ALTER TABLE "import_repositories" ADD COLUMN "retries" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "window_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "window_records" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "window_requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "before_records" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "before_requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "paused_by_person_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "cancel_requested_at" timestamptz(6);