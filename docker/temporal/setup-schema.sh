#!/bin/sh
# Brings Temporal's two databases to the schema of this release. Safe to run again: what is there is left as it is.
set -eu
SQL_PASSWORD="$(cat /run/secrets/temporal-database-password)"
export SQL_PASSWORD

setup() { # setup DATABASE SCHEMA
  temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user temporal --db "$1" create
  temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user temporal --db "$1" setup-schema -v 0.0
  temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user temporal --db "$1" \
    update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

setup temporal temporal
setup temporal_visibility visibility
