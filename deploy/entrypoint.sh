#!/bin/sh
# Turn the secret files that this container was given into the variables that the settings read.
# Each service gets only its own: the owner's password reaches the migration alone.
set -eu

secrets=/run/secrets
host=${POSTGRES_HOST:-postgres}/${POSTGRES_DB:-agentops}

export_secret() { # VARIABLE FILE
    if [ -r "$secrets/$2" ]; then
        export "$1=$(cat "$secrets/$2")"
    fi
}

export_database() { # VARIABLE ROLE FILE
    if [ -r "$secrets/$3" ]; then
        export "$1=postgresql://$2:$(cat "$secrets/$3")@$host"
    fi
}

export_secret SECRET_KEY secret_key
export_secret SECRET_KEY_FALLBACKS secret_key_fallbacks
export_secret AGENTOPS_DIGEST_KEY digest_key
export_secret AGENTOPS_SEALING_KEYS sealing_keys
export_secret OPENAI_API_KEY openai_api_key
export_secret MODEL_PROVIDER_KEYS model_provider_keys
export_secret EMAIL_URL email_url
export_secret METRICS_TOKEN metrics_token
export_secret OTEL_EXPORTER_OTLP_HEADERS otlp_headers
export_secret STAFF_SSO_CLIENT_SECRET staff_sso_client_secret
export_database DATABASE_URL agentops_app app_password
export_database DATABASE_OWNER_URL agentops_owner owner_password
# The migration has no other role to connect as.
export DATABASE_URL="${DATABASE_URL:-${DATABASE_OWNER_URL:-}}"

exec "$@"
