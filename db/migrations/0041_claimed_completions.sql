ALTER TABLE "oauth_flows" ADD COLUMN "claimed_at" timestamptz(6);
--> statement-breakpoint
grant select (claimed_at), update (claimed_at) on oauth_flows to bucket_brigade_api;
