-- Of two indexes that seem to cost the same the planner takes the one made last, and while a table has no statistics
-- all that begin with organization and repository seem so: it then reads a whole repository to find one key. Nothing
-- asks by the first index; the keys of the other two tables are made anew, so that they come last.
DROP INDEX "pull_requests_updated";
--> statement-breakpoint
alter table commits drop constraint commits_organization_id_repository_id_hash_pk;
--> statement-breakpoint
alter table commits add constraint commits_organization_id_repository_id_hash_pk
  primary key (organization_id, repository_id, hash);
--> statement-breakpoint
alter table pull_request_commits drop constraint pull_request_commits_key;
--> statement-breakpoint
alter table pull_request_commits add constraint pull_request_commits_key
  primary key (organization_id, repository_id, pull_request_number, commit_hash);
