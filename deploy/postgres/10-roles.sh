#!/bin/sh
# Run once by the postgres image, as the superuser, when the volume is new.
set -eu

psql --username "$POSTGRES_USER" --dbname postgres --no-psqlrc --quiet \
    --set=ON_ERROR_STOP=1 \
    --set=database="$POSTGRES_DB" \
    --set=owner_password="$(cat /run/secrets/owner_password)" \
    --set=app_password="$(cat /run/secrets/app_password)" \
    --file=/opt/agentops/roles.sql
