ALTER TABLE "commit_files" DROP CONSTRAINT "commit_files_commit";
--> statement-breakpoint
ALTER TABLE "commit_files" ADD CONSTRAINT "commit_files_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;