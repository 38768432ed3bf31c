ALTER TABLE "import_streams" ADD COLUMN "window_at" timestamptz(6);--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "window_records" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "window_requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "before_records" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_streams" ADD COLUMN "before_requests" bigint DEFAULT 0 NOT NULL;