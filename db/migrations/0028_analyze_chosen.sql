-- A table that has just been given the thousands of repositories of an import is planned for as if it held one row, until
-- Postgres analyses it a minute later: whoever fills it does so at once (db/queries/importSelection.ts).
grant maintain on import_repositories to bucket_brigade_worker;
