"""Refuse, in the database, a grant, terms of end users or a tool version that takes a second person and was not activated by one.

What tightens may stay with one: compared is with the row that this one follows, whatever state that was put in.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
-- Whether every cap of before is kept by one of after that binds at least as tightly.
CREATE FUNCTION tools_keeps_caps(before jsonb, after jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT NOT EXISTS (SELECT FROM jsonb_array_elements(before) b WHERE NOT EXISTS (
        SELECT FROM jsonb_array_elements(after) a WHERE a ->> 'per' = b ->> 'per'
            AND (b ->> 'count' IS NULL OR (a ->> 'count')::numeric <= (b ->> 'count')::numeric)
            AND (b ->> 'amount' IS NULL OR (a ->> 'amount')::numeric <= (b ->> 'amount')::numeric)))
$$;
CREATE FUNCTION tools_grant_loosens(before tools_toolgrant, after tools_toolgrant) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT after.decision <> 'DENY' AND coalesce(before.state = 'revoked' OR before.decision = 'DENY'
        OR array_position(strictest_first, after.decision::text)
            > array_position(strictest_first, before.decision::text)
        OR after.over_caps <> 'DENY' AND before.over_caps = 'DENY'
        OR after.approval_ttl_s > before.approval_ttl_s
        OR before.valid_until IS NOT NULL
            AND (after.valid_until IS NULL OR after.valid_until > before.valid_until)
        OR NOT tools_keeps_caps(before.caps, after.caps), true)
    FROM (SELECT ARRAY['DENY', 'REQUIRE_APPROVAL', 'ALLOW_WITH_CAPS', 'ALLOW'] AS strictest_first) AS ordered
$$;
CREATE FUNCTION tools_guard_new_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before tools_toolgrant;
    team uuid := (SELECT team_id FROM identities_agentidentity WHERE id = NEW.identity_id);
    is_waived boolean := NEW.waived_by_id IS NOT NULL OR NEW.countersigned_by_id IS NOT NULL;
    verb text;
    loosens boolean;
BEGIN
    SELECT * INTO before FROM tools_toolgrant
        WHERE identity_id = NEW.identity_id AND tool_id = NEW.tool_id ORDER BY version DESC LIMIT 1;
    verb := CASE WHEN is_waived THEN 'grant.waive' ELSE 'grant.set' END;
    -- Caps that cannot be read fail to compare, and are compared only where it matters.
    loosens := CASE WHEN identities_change_needs(verb, team) = 'two_to_loosen' AND NOT is_waived
        THEN tools_grant_loosens(before, NEW) END;
    IF identities_may_write(verb, NEW.identity_id::text || ':' || NEW.tool_id::text, team, loosens, NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a grant takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_toolgrant_governed BEFORE INSERT ON tools_toolgrant
    FOR EACH ROW EXECUTE FUNCTION tools_guard_new_grant();

-- Terms of end users only take away: what loosens is that they end, unless others as tight stand at the commit.
CREATE FUNCTION tools_guard_ended_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    follower tools_userterms;
    team uuid := (SELECT team_id FROM tools_tool WHERE id = NEW.tool_id);
    like_a_grant jsonb := '{"state": "active", "approval_ttl_s": 0}';
BEGIN
    SELECT * INTO follower FROM tools_userterms WHERE tool_id = NEW.tool_id
        AND principal_id IS NOT DISTINCT FROM NEW.principal_id AND ended_at IS NULL;
    IF identities_may_write('user_terms.set', NEW.tool_id::text || ':' || coalesce(NEW.principal_id::text, ''), team,
        follower.id IS NULL OR tools_grant_loosens(
            jsonb_populate_record(NULL::tools_toolgrant, to_jsonb(NEW) || like_a_grant),
            jsonb_populate_record(NULL::tools_toolgrant, to_jsonb(follower) || like_a_grant)),
        CASE WHEN follower.id IS NULL THEN NEW ELSE follower END) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'terms of end users take a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE CONSTRAINT TRIGGER tools_userterms_governed AFTER UPDATE ON tools_userterms
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tools_guard_ended_terms();

-- What is called and what caps count has no order: nobody can tell by itself which address or argument is milder.
CREATE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
    FROM (SELECT ARRAY['read', 'reversible', 'irreversible'] AS mildest_first) AS ordered
$$;
CREATE FUNCTION tools_guard_new_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before tools_toolversion;
    team uuid := (SELECT team_id FROM tools_tool WHERE id = NEW.tool_id);
BEGIN
    SELECT * INTO before FROM tools_toolversion WHERE tool_id = NEW.tool_id ORDER BY number DESC LIMIT 1;
    IF identities_may_write('tool_version.add', NEW.tool_id::text, team,
        before.id IS NOT NULL AND tools_version_loosens(before, NEW), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a tool version takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_toolversion_governed BEFORE INSERT ON tools_toolversion
    FOR EACH ROW EXECUTE FUNCTION tools_guard_new_version();
"""
UNGUARD = """
DROP TRIGGER tools_userterms_governed ON tools_userterms;
DROP TRIGGER tools_toolversion_governed ON tools_toolversion;
DROP TRIGGER tools_toolgrant_governed ON tools_toolgrant;
DROP FUNCTION tools_guard_new_version(), tools_guard_ended_terms(), tools_guard_new_grant(),
    tools_keeps_caps(jsonb, jsonb), tools_version_loosens(tools_toolversion, tools_toolversion),
    tools_grant_loosens(tools_toolgrant, tools_toolgrant);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("tools", "0006_bounds"),
        ("identities", "0011_changes"),
    ]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
