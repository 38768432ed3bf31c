DROP INDEX "repositories_page";--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "search_text" text GENERATED ALWAYS AS (lower(left("repositories"."full_name" || ' ' || "repositories"."name", 400))) STORED NOT NULL;--> statement-breakpoint
CREATE INDEX "repositories_page" ON "repositories" USING btree ("organization_id","full_name","id","search_text");