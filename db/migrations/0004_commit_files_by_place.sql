ALTER TABLE "commit_files" DROP CONSTRAINT "commit_files_organization_id_repository_id_commit_hash_path_pk";--> statement-breakpoint
ALTER TABLE "commit_files" ADD COLUMN "place" integer NOT NULL;--> statement-breakpoint
ALTER TABLE "commit_files" ADD CONSTRAINT "commit_files_organization_id_repository_id_commit_hash_place_pk" PRIMARY KEY("organization_id","repository_id","commit_hash","place");
