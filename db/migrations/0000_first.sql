CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"prefix" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"role" text NOT NULL,
	"label" text DEFAULT '' NOT NULL,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"expires_at" timestamptz(6),
	"revoked_at" timestamptz(6),
	CONSTRAINT "api_keys_prefix_unique" UNIQUE("prefix"),
	CONSTRAINT "api_keys_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "api_keys_role" CHECK ("api_keys"."role" in ('viewer', 'manager', 'admin'))
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"organization_id" uuid NOT NULL,
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "audit_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"integration_id" uuid,
	"action" text NOT NULL,
	"api_key_id" uuid,
	"acting_user" text,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "audit_events_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"operation" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"status" integer,
	"answer" jsonb,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "idempotency_keys_organization_id_key_pk" PRIMARY KEY("organization_id","key")
);
--> statement-breakpoint
CREATE TABLE "organizations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"return_urls" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "organizations_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "connection_checks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid,
	"credential_kind" text NOT NULL,
	"state" text DEFAULT 'running' NOT NULL,
	"verdict" text,
	"report" jsonb,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"finished_at" timestamptz(6),
	CONSTRAINT "connection_checks_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "connection_checks_state" CHECK ("connection_checks"."state" in ('running', 'done')),
	CONSTRAINT "connection_checks_verdict" CHECK ("connection_checks"."verdict" in ('ok', 'ok_with_warnings', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "credentials" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid,
	"owner_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"state" text DEFAULT 'candidate' NOT NULL,
	"sealed" "bytea",
	"key_id" text NOT NULL,
	"fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"account_key" text,
	"scopes" text[],
	"expires_on" timestamptz(6),
	"access_expires_at" timestamptz(6),
	"refresh_started_at" timestamptz(6),
	"version" integer DEFAULT 1 NOT NULL,
	"discard_after" timestamptz(6),
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "credentials_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "credentials_kind" CHECK ("credentials"."kind" in ('oauth', 'api_token', 'access_token', 'basic')),
	CONSTRAINT "credentials_state" CHECK ("credentials"."state" in ('candidate', 'active', 'shredded'))
);
--> statement-breakpoint
CREATE TABLE "integrations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"provider" text DEFAULT 'bitbucket_cloud' NOT NULL,
	"name" text,
	"state" text DEFAULT 'awaiting_credential' NOT NULL,
	"reason" jsonb,
	"version" integer DEFAULT 1 NOT NULL,
	"services" text[] DEFAULT '{}' NOT NULL,
	"allowed_services" text[] DEFAULT '{}' NOT NULL,
	"commit_source" text DEFAULT 'git' NOT NULL,
	"connected_account" jsonb,
	"credential_id" uuid,
	"last_check_id" uuid,
	"discovery_state" text DEFAULT 'never' NOT NULL,
	"discovery_error" jsonb,
	"last_discovery_at" timestamptz(6),
	"draft_expires_at" timestamptz(6),
	"created_by_key" uuid,
	"created_by_user" text,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "integrations_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "integrations_state" CHECK ("integrations"."state" in ('awaiting_credential', 'checking', 'connected', 'active', 'paused', 'needs_credential', 'disconnecting')),
	CONSTRAINT "integrations_discovery_state" CHECK ("integrations"."discovery_state" in ('never', 'running', 'done', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "oauth_flows" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"state_hash" "bytea" NOT NULL,
	"sealed_verifier" "bytea",
	"sealed_code" "bytea",
	"key_id" text NOT NULL,
	"return_url" text,
	"completion_hash" "bytea",
	"state" text DEFAULT 'started' NOT NULL,
	"error" jsonb,
	"check_id" uuid,
	"started_by_key" uuid,
	"started_by_user" text,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"expires_at" timestamptz(6) NOT NULL,
	CONSTRAINT "oauth_flows_state_hash_unique" UNIQUE("state_hash"),
	CONSTRAINT "oauth_flows_completion_hash_unique" UNIQUE("completion_hash"),
	CONSTRAINT "oauth_flows_state" CHECK ("oauth_flows"."state" in ('started', 'returned', 'completing', 'completed', 'denied', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "integration_repositories" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"last_seen_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "integration_repositories_organization_id_integration_id_repository_id_pk" PRIMARY KEY("organization_id","integration_id","repository_id")
);
--> statement-breakpoint
CREATE TABLE "integration_workspaces" (
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"workspace_id" uuid NOT NULL,
	"administrator" boolean,
	"last_seen_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "integration_workspaces_organization_id_integration_id_workspace_id_pk" PRIMARY KEY("organization_id","integration_id","workspace_id")
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"workspace_id" uuid NOT NULL,
	"provider_uuid" text NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"is_private" boolean,
	"created_on" timestamptz(6),
	"updated_on" timestamptz(6),
	"observed_at" timestamptz(6) NOT NULL,
	CONSTRAINT "projects_provider" UNIQUE("organization_id","provider_uuid"),
	CONSTRAINT "projects_in_organization" UNIQUE("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "repositories" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"workspace_id" uuid NOT NULL,
	"project_id" uuid,
	"provider_uuid" text NOT NULL,
	"slug" text NOT NULL,
	"name" text NOT NULL,
	"full_name" text NOT NULL,
	"description" text,
	"is_private" boolean NOT NULL,
	"language" text,
	"main_branch" text,
	"size_bytes" bigint,
	"parent_uuid" text,
	"has_issues" boolean,
	"created_on" timestamptz(6),
	"updated_on" timestamptz(6),
	"raw" jsonb NOT NULL,
	"observed_at" timestamptz(6) NOT NULL,
	"integration_id" uuid,
	"first_imported_at" timestamptz(6),
	"last_imported_at" timestamptz(6),
	CONSTRAINT "repositories_provider" UNIQUE("organization_id","provider_uuid"),
	CONSTRAINT "repositories_in_organization" UNIQUE("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "workspaces" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"provider_uuid" text NOT NULL,
	"slug" text NOT NULL,
	"name" text NOT NULL,
	"is_private" boolean,
	"created_on" timestamptz(6),
	"observed_at" timestamptz(6) NOT NULL,
	CONSTRAINT "workspaces_provider" UNIQUE("organization_id","provider_uuid"),
	CONSTRAINT "workspaces_in_organization" UNIQUE("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "import_events" (
	"organization_id" uuid NOT NULL,
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "import_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"import_id" uuid NOT NULL,
	"type" text NOT NULL,
	"repository_id" uuid,
	"data" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "import_events_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "import_repositories" (
	"organization_id" uuid NOT NULL,
	"import_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"place" integer NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"error" jsonb,
	"waiting_since" timestamptz(6),
	"waiting_until" timestamptz(6),
	"waiting_reason" text,
	"started_at" timestamptz(6),
	"finished_at" timestamptz(6),
	CONSTRAINT "import_repositories_organization_id_import_id_repository_id_pk" PRIMARY KEY("organization_id","import_id","repository_id"),
	CONSTRAINT "import_repositories_state" CHECK ("import_repositories"."state" in ('pending', 'running', 'rate_limited', 'needs_credential', 'paused', 'completed', 'failed', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "import_streams" (
	"organization_id" uuid NOT NULL,
	"import_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"stream" text NOT NULL,
	"state" text DEFAULT 'never' NOT NULL,
	"records_stored" bigint DEFAULT 0 NOT NULL,
	"records_expected" bigint,
	"expected_basis" text,
	"quarantined" bigint DEFAULT 0 NOT NULL,
	"requests" bigint DEFAULT 0 NOT NULL,
	"last_error" jsonb,
	"started_at" timestamptz(6),
	"finished_at" timestamptz(6),
	CONSTRAINT "import_streams_organization_id_import_id_repository_id_stream_pk" PRIMARY KEY("organization_id","import_id","repository_id","stream"),
	CONSTRAINT "import_streams_stream" CHECK ("import_streams"."stream" in ('refs', 'commits', 'pull_requests', 'pull_request_activity', 'pull_request_comments', 'tickets', 'ticket_comments', 'ticket_changes')),
	CONSTRAINT "import_streams_state" CHECK ("import_streams"."state" in ('never', 'processing', 'healthy', 'rate_limited', 'failed', 'unavailable'))
);
--> statement-breakpoint
CREATE TABLE "imports" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"mode" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"selection" jsonb NOT NULL,
	"repositories_total" integer,
	"repositories_completed" integer DEFAULT 0 NOT NULL,
	"repositories_failed" integer DEFAULT 0 NOT NULL,
	"records" bigint DEFAULT 0 NOT NULL,
	"requests" bigint DEFAULT 0 NOT NULL,
	"waiting_since" timestamptz(6),
	"waiting_until" timestamptz(6),
	"waiting_reason" text,
	"started_by_key" uuid,
	"started_by_user" text,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"started_at" timestamptz(6),
	"finished_at" timestamptz(6),
	CONSTRAINT "imports_in_organization" UNIQUE("organization_id","id"),
	CONSTRAINT "imports_mode" CHECK ("imports"."mode" in ('changed', 'full')),
	CONSTRAINT "imports_state" CHECK ("imports"."state" in ('pending', 'running', 'rate_limited', 'needs_credential', 'paused', 'completed', 'completed_with_failures', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "quarantine" (
	"id" uuid PRIMARY KEY NOT NULL,
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"stream" text NOT NULL,
	"record_key" text NOT NULL,
	"raw" "bytea" NOT NULL,
	"reason" text NOT NULL,
	"attempts" integer DEFAULT 1 NOT NULL,
	"created_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	"last_attempt_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "quarantine_record" UNIQUE("organization_id","repository_id","stream","record_key")
);
--> statement-breakpoint
CREATE TABLE "request_limits" (
	"account_key" text NOT NULL,
	"limit_group" text NOT NULL,
	"blocked_until" timestamptz(6),
	"refusals" integer DEFAULT 0 NOT NULL,
	"updated_at" timestamptz(6) DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "request_limits_account_key_limit_group_pk" PRIMARY KEY("account_key","limit_group")
);
--> statement-breakpoint
CREATE TABLE "streams" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"stream" text NOT NULL,
	"epoch" bigint DEFAULT 0 NOT NULL,
	"position" jsonb,
	"watermark" timestamptz(6),
	"memory" jsonb,
	"state" text DEFAULT 'never' NOT NULL,
	"failing_since" timestamptz(6),
	"last_error" jsonb,
	"last_success_at" timestamptz(6),
	"last_attempt_at" timestamptz(6),
	CONSTRAINT "streams_organization_id_repository_id_stream_pk" PRIMARY KEY("organization_id","repository_id","stream"),
	CONSTRAINT "streams_stream" CHECK ("streams"."stream" in ('refs', 'commits', 'pull_requests', 'pull_request_activity', 'pull_request_comments', 'tickets', 'ticket_comments', 'ticket_changes')),
	CONSTRAINT "streams_state" CHECK ("streams"."state" in ('never', 'processing', 'healthy', 'rate_limited', 'failed', 'unavailable'))
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"organization_id" uuid NOT NULL,
	"provider_uuid" text NOT NULL,
	"kind" text,
	"display_name" text,
	"nickname" text,
	"account_id" text,
	"observed_at" timestamptz(6) NOT NULL,
	CONSTRAINT "accounts_organization_id_provider_uuid_pk" PRIMARY KEY("organization_id","provider_uuid")
);
--> statement-breakpoint
CREATE TABLE "branches" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"name" text NOT NULL,
	"target_hash" text NOT NULL,
	"observed_at" timestamptz(6) NOT NULL,
	CONSTRAINT "branches_organization_id_repository_id_name_pk" PRIMARY KEY("organization_id","repository_id","name")
);
--> statement-breakpoint
CREATE TABLE "commit_files" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"commit_hash" text NOT NULL,
	"path" text NOT NULL,
	"old_path" text,
	"lines_added" integer,
	"lines_removed" integer,
	CONSTRAINT "commit_files_organization_id_repository_id_commit_hash_path_pk" PRIMARY KEY("organization_id","repository_id","commit_hash","path")
);
--> statement-breakpoint
CREATE TABLE "commits" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"hash" text NOT NULL,
	"parent_hashes" text[] NOT NULL,
	"author_name" text NOT NULL,
	"author_email" text NOT NULL,
	"authored_at" timestamptz(6),
	"author_zone" text NOT NULL,
	"committer_name" text NOT NULL,
	"committer_email" text NOT NULL,
	"committed_at" timestamptz(6),
	"committer_zone" text NOT NULL,
	"message" text NOT NULL,
	"raw_bytes" "bytea",
	"lines_added" bigint,
	"lines_removed" bigint,
	"files_changed" integer,
	CONSTRAINT "commits_organization_id_repository_id_hash_pk" PRIMARY KEY("organization_id","repository_id","hash")
);
--> statement-breakpoint
CREATE TABLE "pull_request_activity" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"pull_request_number" integer NOT NULL,
	"entry_key" text NOT NULL,
	"kind" text NOT NULL,
	"actor_uuid" text,
	"at" timestamptz(6) NOT NULL,
	"state" text,
	"comment_id" bigint,
	"raw" jsonb NOT NULL,
	"observed_at" timestamptz(6) NOT NULL,
	CONSTRAINT "pull_request_activity_organization_id_repository_id_pull_request_number_entry_key_pk" PRIMARY KEY("organization_id","repository_id","pull_request_number","entry_key")
);
--> statement-breakpoint
CREATE TABLE "pull_request_comments" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"pull_request_number" integer NOT NULL,
	"comment_id" bigint NOT NULL,
	"parent_id" bigint,
	"author_uuid" text,
	"content" text,
	"inline_path" text,
	"inline_from" integer,
	"inline_to" integer,
	"deleted" boolean NOT NULL,
	"pending" boolean NOT NULL,
	"resolved" boolean NOT NULL,
	"created_on" timestamptz(6) NOT NULL,
	"updated_on" timestamptz(6) NOT NULL,
	"observed_at" timestamptz(6) NOT NULL,
	"raw" jsonb NOT NULL,
	CONSTRAINT "pull_request_comments_organization_id_repository_id_pull_request_number_comment_id_pk" PRIMARY KEY("organization_id","repository_id","pull_request_number","comment_id")
);
--> statement-breakpoint
CREATE TABLE "pull_request_participants" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"pull_request_number" integer NOT NULL,
	"account_key" text NOT NULL,
	"role" text NOT NULL,
	"approved" boolean NOT NULL,
	"state" text,
	"participated_on" timestamptz(6),
	CONSTRAINT "pull_request_participants_organization_id_repository_id_pull_request_number_account_key_pk" PRIMARY KEY("organization_id","repository_id","pull_request_number","account_key")
);
--> statement-breakpoint
CREATE TABLE "pull_requests" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"title" text NOT NULL,
	"description" text,
	"state" text NOT NULL,
	"draft" boolean NOT NULL,
	"author_uuid" text,
	"closed_by_uuid" text,
	"reason" text,
	"source_branch" text,
	"source_hash" text,
	"source_repository_uuid" text,
	"destination_branch" text,
	"destination_hash" text,
	"destination_repository_uuid" text,
	"merge_hash" text,
	"close_source_branch" boolean,
	"comment_count" integer,
	"task_count" integer,
	"created_on" timestamptz(6) NOT NULL,
	"updated_on" timestamptz(6) NOT NULL,
	"observed_at" timestamptz(6) NOT NULL,
	"raw" jsonb NOT NULL,
	CONSTRAINT "pull_requests_organization_id_repository_id_number_pk" PRIMARY KEY("organization_id","repository_id","number")
);
--> statement-breakpoint
CREATE TABLE "tags" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"name" text NOT NULL,
	"target_hash" text NOT NULL,
	"annotated" boolean NOT NULL,
	"message" text,
	"tagger_name" text,
	"tagger_email" text,
	"tagged_at" timestamptz(6),
	"observed_at" timestamptz(6) NOT NULL,
	CONSTRAINT "tags_organization_id_repository_id_name_pk" PRIMARY KEY("organization_id","repository_id","name")
);
--> statement-breakpoint
CREATE TABLE "ticket_changes" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"ticket_number" integer NOT NULL,
	"change_id" bigint NOT NULL,
	"author_uuid" text,
	"changes" jsonb NOT NULL,
	"message" text,
	"created_on" timestamptz(6) NOT NULL,
	"observed_at" timestamptz(6) NOT NULL,
	"raw" jsonb NOT NULL,
	CONSTRAINT "ticket_changes_organization_id_repository_id_ticket_number_change_id_pk" PRIMARY KEY("organization_id","repository_id","ticket_number","change_id")
);
--> statement-breakpoint
CREATE TABLE "ticket_comments" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"ticket_number" integer NOT NULL,
	"comment_id" bigint NOT NULL,
	"author_uuid" text,
	"content" text,
	"created_on" timestamptz(6) NOT NULL,
	"updated_on" timestamptz(6),
	"observed_at" timestamptz(6) NOT NULL,
	"raw" jsonb NOT NULL,
	CONSTRAINT "ticket_comments_organization_id_repository_id_ticket_number_comment_id_pk" PRIMARY KEY("organization_id","repository_id","ticket_number","comment_id")
);
--> statement-breakpoint
CREATE TABLE "tickets" (
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"title" text NOT NULL,
	"content" text,
	"state" text NOT NULL,
	"kind" text,
	"priority" text,
	"reporter_uuid" text,
	"assignee_uuid" text,
	"component" text,
	"milestone" text,
	"version" text,
	"votes" integer,
	"watches" integer,
	"created_on" timestamptz(6) NOT NULL,
	"updated_on" timestamptz(6) NOT NULL,
	"edited_on" timestamptz(6),
	"observed_at" timestamptz(6) NOT NULL,
	"raw" jsonb NOT NULL,
	CONSTRAINT "tickets_organization_id_repository_id_number_pk" PRIMARY KEY("organization_id","repository_id","number")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "connection_checks" ADD CONSTRAINT "connection_checks_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "connection_checks" ADD CONSTRAINT "connection_checks_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "integrations" ADD CONSTRAINT "integrations_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "oauth_flows" ADD CONSTRAINT "oauth_flows_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "oauth_flows" ADD CONSTRAINT "oauth_flows_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD CONSTRAINT "integration_repositories_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "integration_repositories" ADD CONSTRAINT "integration_repositories_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "integration_workspaces" ADD CONSTRAINT "integration_workspaces_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "integration_workspaces" ADD CONSTRAINT "integration_workspaces_workspace" FOREIGN KEY ("organization_id","workspace_id") REFERENCES "public"."workspaces"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "projects" ADD CONSTRAINT "projects_workspace" FOREIGN KEY ("organization_id","workspace_id") REFERENCES "public"."workspaces"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repositories" ADD CONSTRAINT "repositories_workspace" FOREIGN KEY ("organization_id","workspace_id") REFERENCES "public"."workspaces"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repositories" ADD CONSTRAINT "repositories_project" FOREIGN KEY ("organization_id","project_id") REFERENCES "public"."projects"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repositories" ADD CONSTRAINT "repositories_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "workspaces" ADD CONSTRAINT "workspaces_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_events" ADD CONSTRAINT "import_events_import" FOREIGN KEY ("organization_id","import_id") REFERENCES "public"."imports"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_repositories" ADD CONSTRAINT "import_repositories_import" FOREIGN KEY ("organization_id","import_id") REFERENCES "public"."imports"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_repositories" ADD CONSTRAINT "import_repositories_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_streams" ADD CONSTRAINT "import_streams_repository" FOREIGN KEY ("organization_id","import_id","repository_id") REFERENCES "public"."import_repositories"("organization_id","import_id","repository_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "imports" ADD CONSTRAINT "imports_integration" FOREIGN KEY ("organization_id","integration_id") REFERENCES "public"."integrations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "quarantine" ADD CONSTRAINT "quarantine_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "streams" ADD CONSTRAINT "streams_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "branches" ADD CONSTRAINT "branches_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "commit_files" ADD CONSTRAINT "commit_files_commit" FOREIGN KEY ("organization_id","repository_id","commit_hash") REFERENCES "public"."commits"("organization_id","repository_id","hash") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "commits" ADD CONSTRAINT "commits_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pull_request_activity" ADD CONSTRAINT "pull_request_activity_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pull_request_comments" ADD CONSTRAINT "pull_request_comments_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pull_request_participants" ADD CONSTRAINT "pull_request_participants_pull_request" FOREIGN KEY ("organization_id","repository_id","pull_request_number") REFERENCES "public"."pull_requests"("organization_id","repository_id","number") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pull_requests" ADD CONSTRAINT "pull_requests_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tags" ADD CONSTRAINT "tags_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ticket_changes" ADD CONSTRAINT "ticket_changes_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ticket_comments" ADD CONSTRAINT "ticket_comments_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_repository" FOREIGN KEY ("organization_id","repository_id") REFERENCES "public"."repositories"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idempotency_keys_age" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "connection_checks_of_integration" ON "connection_checks" USING btree ("organization_id","integration_id","created_at");--> statement-breakpoint
CREATE INDEX "credentials_of_integration" ON "credentials" USING btree ("organization_id","integration_id");--> statement-breakpoint
CREATE INDEX "credentials_discard" ON "credentials" USING btree ("discard_after") WHERE "credentials"."discard_after" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "integrations_name" ON "integrations" USING btree ("organization_id",lower("name"));--> statement-breakpoint
CREATE INDEX "integrations_page" ON "integrations" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "repositories_page" ON "repositories" USING btree ("organization_id","full_name","id");--> statement-breakpoint
CREATE INDEX "import_events_of_import" ON "import_events" USING btree ("organization_id","import_id","id");--> statement-breakpoint
CREATE INDEX "import_repositories_next" ON "import_repositories" USING btree ("organization_id","import_id","state","place");--> statement-breakpoint
CREATE INDEX "import_repositories_of_repository" ON "import_repositories" USING btree ("organization_id","repository_id");--> statement-breakpoint
CREATE INDEX "imports_page" ON "imports" USING btree ("organization_id","integration_id","created_at","id");--> statement-breakpoint
CREATE INDEX "commits_page" ON "commits" USING btree ("organization_id","repository_id","committed_at","hash");--> statement-breakpoint
CREATE INDEX "pull_requests_updated" ON "pull_requests" USING btree ("organization_id","repository_id","updated_on");