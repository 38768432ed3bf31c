#!/bin/sh
# The server takes its database password from the environment only; this reads it from the secret's file.
set -eu
POSTGRES_PWD="$(cat /run/secrets/temporal-database-password)"
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
