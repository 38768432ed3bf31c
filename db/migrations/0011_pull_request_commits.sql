CREATE TABLE "pull_request_commits" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"pull_request_number" integer NOT NULL,
	"commit_hash" text NOT NULL,
	"source" text NOT NULL,
	CONSTRAINT "pull_request_commits_key" PRIMARY KEY("organization_id","repository_id","pull_request_number","commit_hash"),
	CONSTRAINT "pull_request_commits_source" CHECK ("pull_request_commits"."source" in ('merge_commit', 'squash', 'unknown'))
);
--> statement-breakpoint
ALTER TABLE "pull_requests" ADD COLUMN "commits_source" text;--> statement-breakpoint
ALTER TABLE "pull_request_commits" ADD CONSTRAINT "pull_request_commits_pull_request" FOREIGN KEY ("organization_id","repository_id","pull_request_number") REFERENCES "public"."pull_requests"("organization_id","repository_id","number") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "pull_request_commits_of_commit" ON "pull_request_commits" USING btree ("organization_id","repository_id","commit_hash");--> statement-breakpoint
ALTER TABLE "pull_requests" ADD CONSTRAINT "pull_requests_commits_source" CHECK ("pull_requests"."commits_source" in ('merge_commit', 'squash', 'unknown'));
--> statement-breakpoint
call protect_tenant_table('pull_request_commits');
--> statement-breakpoint
grant select, insert, update, delete on pull_request_commits to bucket_brigade_worker;
--> statement-breakpoint
grant select on pull_request_commits to bucket_brigade_api;
