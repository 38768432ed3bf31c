#!/bin/sh
# Runs once, when the data folder is new: Temporal gets a role of its own, that can make its two databases and
# nothing else. The engine's roles and database are made by the migrate step.
set -eu
# psql reads the file itself: a password among its arguments would be seen in the list of processes.
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/temporal-database-password`
create role temporal login password :'password' createdb nosuperuser nocreaterole nobypassrls;
SQL
