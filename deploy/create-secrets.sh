#!/bin/sh
# Make the secret files that docker-compose.yml reads. What exists is kept.
# The directory is closed; the files are readable, because the containers' account is not yours.
set -eu

directory=$(dirname "$0")/secrets
mkdir -p "$directory"
chmod 700 "$directory"

random_hex() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for name in postgres_password owner_password app_password secret_key digest_key; do
    [ -e "$directory/$name" ] || random_hex > "$directory/$name"
done
# The first of several, later: each has a name, by which what it sealed is found.
[ -e "$directory/sealing_keys" ] || printf 'first:%s' "$(random_hex)" > "$directory/sealing_keys"
# Your model provider's key, those of further providers, the mail server's address, the identity provider's secret,
# keys that secret_key has replaced, what /metrics takes to be read, and what the collector of spans is shown, go in here.
for name in openai_api_key model_provider_keys email_url secret_key_fallbacks staff_sso_client_secret metrics_token otlp_headers; do
    [ -e "$directory/$name" ] || : > "$directory/$name"
done
chmod 644 "$directory"/*
