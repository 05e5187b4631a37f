"""Refuse that what was taken back comes back, however the row is written."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# Table, column, and what is final in it ("": whatever is there at all).
ENDED = (
    ("identities_agentidentity", "state", "revoked"),
    ("identities_application", "state", "revoked"),
    ("identities_credential", "revoked_at", ""),
    ("identities_credential", "superseded_at", ""),
    ("identities_apikey", "revoked_at", ""),
    ("identities_delegation", "revoked_at", ""),
    ("identities_signingkey", "revoked_at", ""),
)
# What is looked up to know an old one again: a key that was had before, a hop, who signed what.
KEPT = ("identities_credential", "identities_delegation", "identities_signingkey")
GUARD = """
-- Arguments: a column, and what is final in it, or '' for whatever it holds.
CREATE FUNCTION identities_keep_ended() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended text := to_jsonb(OLD) ->> TG_ARGV[0];
BEGIN
    IF ended IS NOT NULL AND TG_ARGV[1] IN ('', ended) AND to_jsonb(NEW) ->> TG_ARGV[0] IS DISTINCT FROM ended THEN
        RAISE EXCEPTION '% is final: % of % refused', TG_ARGV[0], TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION identities_keep_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was given is final: % of % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;

-- An epoch that came again would bring its tokens and keys back.
CREATE FUNCTION identities_keep_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.token_epoch < OLD.token_epoch THEN
        RAISE EXCEPTION 'an epoch is final: % refused', TG_OP USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER identities_user_epoch BEFORE UPDATE OF token_epoch ON identities_user
    FOR EACH ROW EXECUTE FUNCTION identities_keep_epoch();

-- What was used once is forgotten when it would be refused as expired, and not before.
CREATE FUNCTION identities_keep_used() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.expires_at <= clock_timestamp() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'what was used is final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_usedidentifier_final BEFORE UPDATE OR DELETE ON identities_usedidentifier
    FOR EACH ROW EXECUTE FUNCTION identities_keep_used();

-- A switch is lifted once, by somebody, and stays on record as it was thrown.
CREATE FUNCTION identities_keep_switch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lifted identities_killswitch := OLD;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.lifted_at IS NULL THEN
        lifted.lifted_at := NEW.lifted_at;
        lifted.lifted_by_id := NEW.lifted_by_id;
        IF NEW IS NOT DISTINCT FROM lifted AND (NEW.lifted_at IS NULL OR identities_is_person(NEW.lifted_by_id)) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a kill switch is final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_killswitch_final BEFORE UPDATE OR DELETE ON identities_killswitch
    FOR EACH ROW EXECUTE FUNCTION identities_keep_switch();
""" + "".join(
    f"CREATE TRIGGER {table}_{column}_final BEFORE UPDATE OF {column} ON {table}\n"
    f"    FOR EACH ROW EXECUTE FUNCTION identities_keep_ended('{column}', '{final}');\n"
    for table, column, final in ENDED
)
GUARD += "".join(
    f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION identities_keep_record();\n"
    for table in KEPT
)
UNGUARD = "".join(f"DROP TRIGGER {table}_kept ON {table};\n" for table in KEPT)
UNGUARD += "".join(f"DROP TRIGGER {table}_{column}_final ON {table};\n" for table, column, _ in ENDED) + """
DROP TRIGGER identities_killswitch_final ON identities_killswitch;
DROP TRIGGER identities_usedidentifier_final ON identities_usedidentifier;
DROP TRIGGER identities_user_epoch ON identities_user;
DROP FUNCTION identities_keep_switch();
DROP FUNCTION identities_keep_used();
DROP FUNCTION identities_keep_epoch();
DROP FUNCTION identities_keep_record();
DROP FUNCTION identities_keep_ended();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0004_believed_issuers")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
