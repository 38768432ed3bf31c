-- A fast-forward whose tip is itself a merge was linked with what the destination had brought into the source. The next
-- import or sync of its repository looks at it again, without a request.
UPDATE "pull_requests" SET "commits_source" = NULL
WHERE "commits_source" = 'merge_commit' AND "source_hash" <> ''
  AND starts_with("merge_hash", left("source_hash", 12));
