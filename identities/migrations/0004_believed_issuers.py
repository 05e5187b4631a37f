"""Refuse that an issuer's tokens are believed without a second person, however the row is written."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
-- An issuer is added, and ended; what was said of it stays.
CREATE FUNCTION identities_guard_issuer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended identities_tokenissuer;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF identities_may_write('issuer.add', NEW.client_id::text || ':'
            || encode(sha256(convert_to(NEW.issuer, 'UTF8')), 'hex'), NEW.team_id, true, NEW) THEN
            RETURN NEW;
        END IF;
    ELSE
        ended := OLD;
        ended.disabled_at := NEW.disabled_at;
        IF NEW IS NOT DISTINCT FROM ended AND (OLD.disabled_at IS NULL OR NEW.disabled_at = OLD.disabled_at) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'to believe an issuer takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_tokenissuer_governed BEFORE INSERT OR UPDATE ON identities_tokenissuer
    FOR EACH ROW EXECUTE FUNCTION identities_guard_issuer();
"""
UNGUARD = """
DROP TRIGGER identities_tokenissuer_governed ON identities_tokenissuer;
DROP FUNCTION identities_guard_issuer();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0003_trusted_applications")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
