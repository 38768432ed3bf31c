#!/bin/sh
# Makes what docker-compose.yml reads from secrets/: passwords, database addresses, keys. What is there already stays.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets

# Letters and digits only, so that a password can stand in an address as it is.
new_password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # keep NAME VALUE
  if [ ! -e "secrets/$1" ]; then
    printf '%s' "$2" > "secrets/$1"
    echo "made secrets/$1"
  fi
}

database_url() { # database_url ROLE PASSWORD_FILE DATABASE
  printf 'postgres://%s:%s@postgres:5432/%s' "$1" "$(cat "secrets/$2")" "$3"
}

for name in postgres-password temporal-database-password \
  database-owner-password database-api-password database-worker-password; do
  keep "$name" "$(new_password)"
done
keep database-admin-url "$(database_url postgres postgres-password postgres)"
keep database-owner-url "$(database_url bucket_brigade_owner database-owner-password bucket_brigade)"
keep database-api-url "$(database_url bucket_brigade_api database-api-password bucket_brigade)"
keep database-worker-url "$(database_url bucket_brigade_worker database-worker-password bucket_brigade)"
# Empty means that this installation offers no OAuth; the consumer's key is BITBUCKET_OAUTH_KEY in .env.
keep bitbucket-oauth-secret ''

if [ ! -e secrets/sealing-private-keys.json ] || [ ! -e secrets/webhook-key ]; then
  npm run --silent keys -- generate --folder secrets
fi

# Compose mounts these files as they are, and the processes that read them have users of their own. The folder, which
# only its owner can enter, is what keeps other people of this machine out.
chmod 700 secrets
chmod 444 secrets/*
