-- The owner is a stranger to every customer's rows, so this is done as each customer in turn, like the work of a worker.
DO $$
DECLARE
  customer uuid;
BEGIN
  FOR customer IN SELECT id FROM organizations LOOP
    PERFORM set_config('app.organization', customer::text, true);
    -- A fast-forward whose tip is itself a merge was linked with what the destination had brought into the source. The
    -- next import or sync of its repository looks at it again, without a request.
    UPDATE "pull_requests" SET "commits_source" = NULL
    WHERE "commits_source" = 'merge_commit' AND "source_hash" <> ''
      AND starts_with("merge_hash", left("source_hash", 12));
    -- What is not available does not fail.
    UPDATE "streams" SET "failing_since" = NULL WHERE "state" = 'unavailable' AND "failing_since" IS NOT NULL;
  END LOOP;
  PERFORM set_config('app.organization', '', true);
END $$;
