DROP INDEX "import_events_of_import";--> statement-breakpoint
ALTER TABLE "import_events" ADD COLUMN "xact" "xid8" DEFAULT pg_current_xact_id() NOT NULL;--> statement-breakpoint
CREATE INDEX "import_events_of_import" ON "import_events" USING btree ("organization_id","import_id","xact","id");