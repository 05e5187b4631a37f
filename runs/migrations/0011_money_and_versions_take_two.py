"""Refuse, in the database, a looser budget, a price or a publication that no second person activated.

A new budget only adds a ceiling. A price is never tighter than another: too low a one stretches every budget, and
a first one lets a model be used. What is put out of use may stay with one person.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
CREATE FUNCTION runs_guard_budget() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_allowed boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        is_allowed := identities_may_write('budget.set', runs_budget_subject(NEW), NEW.team_id, false, NEW);
    ELSIF TG_OP = 'UPDATE' AND runs_budget_subject(NEW) = runs_budget_subject(OLD) THEN
        is_allowed := identities_may_write('budget.set', runs_budget_subject(NEW), NEW.team_id,
            OLD.max_steps IS NOT NULL AND coalesce(NEW.max_steps > OLD.max_steps, true)
            OR OLD.max_tokens IS NOT NULL AND coalesce(NEW.max_tokens > OLD.max_tokens, true)
            OR OLD.max_usd IS NOT NULL AND coalesce(NEW.max_usd > OLD.max_usd, true), NEW);
    ELSE  -- a ceiling that is taken away, or moved to bind somebody else: no verb does that
        is_allowed := identities_change_needs('budget.set', OLD.team_id) = 'one';
    END IF;
    IF is_allowed THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'a budget takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE FUNCTION runs_budget_subject(budget runs_budget) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT budget.team_id::text || ':' || coalesce(budget.identity_id::text, '') || ':' || budget."window"
$$;
CREATE TRIGGER runs_budget_governed BEFORE INSERT OR UPDATE OR DELETE ON runs_budget
    FOR EACH ROW EXECUTE FUNCTION runs_guard_budget();

CREATE FUNCTION runs_guard_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended runs_price;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF identities_change_needs('price.set', NULL) = 'one' THEN
            RETURN OLD;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        ended := OLD;
        ended.active := false;
        IF NEW IS NOT DISTINCT FROM ended OR identities_may_write('price.set', OLD.model, NULL, true, NEW) THEN
            RETURN NEW;
        END IF;
    ELSIF identities_may_write('price.set', NEW.model, NULL, true, NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a price takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER runs_price_governed BEFORE INSERT OR UPDATE OR DELETE ON runs_price
    FOR EACH ROW EXECUTE FUNCTION runs_guard_price();

-- To add a laxer version of a tool takes two people; to go back to one that was there before has to take as many.
CREATE FUNCTION runs_takes_up_laxer_tool(version uuid, previous uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM runs_agentversion_catalogue c
        JOIN tools_toolversion pinned ON pinned.id = c.toolversion_id
        JOIN tools_toolversion latest ON latest.tool_id = pinned.tool_id
        WHERE c.agentversion_id = $1 AND tools_version_loosens(latest, pinned)
            AND NOT EXISTS (SELECT FROM tools_toolversion v
                WHERE v.tool_id = latest.tool_id AND v.number > latest.number)
            AND NOT EXISTS (SELECT FROM runs_agentversion_catalogue p
                WHERE p.agentversion_id = $2 AND p.toolversion_id = pinned.id))
$$;

-- Compared is with what was published last. Nothing is born retired either: the next one would be compared with it.
CREATE FUNCTION runs_guard_publication() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before runs_agentversion;
    team uuid := (SELECT team_id FROM identities_agentidentity WHERE id = NEW.identity_id);
BEGIN
    IF NEW.state = 'draft' OR TG_OP = 'UPDATE' AND OLD.state <> 'draft' THEN
        RETURN NEW;
    END IF;
    SELECT * INTO before FROM runs_agentversion WHERE identity_id = NEW.identity_id AND id <> NEW.id
        AND state <> 'draft' ORDER BY published_at DESC NULLS LAST, number DESC LIMIT 1;
    IF identities_may_write('agent_version.publish', NEW.identity_id::text, team,
        before.max_steps IS NOT NULL AND coalesce(NEW.max_steps > before.max_steps, true)
        OR before.max_tokens IS NOT NULL AND coalesce(NEW.max_tokens > before.max_tokens, true)
        OR before.max_usd IS NOT NULL AND coalesce(NEW.max_usd > before.max_usd, true)
        OR before.max_seconds IS NOT NULL AND coalesce(NEW.max_seconds > before.max_seconds, true)
        OR before.run_expires_after_s IS NOT NULL
            AND coalesce(NEW.run_expires_after_s > before.run_expires_after_s, true)
        OR before.repeat_limit IS NOT NULL AND NEW.repeat_limit > before.repeat_limit
        OR runs_takes_up_laxer_tool(NEW.id, before.id), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to publish this version takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER runs_agentversion_governed BEFORE INSERT OR UPDATE OF state ON runs_agentversion
    FOR EACH ROW EXECUTE FUNCTION runs_guard_publication();
"""
UNGUARD = """
DROP TRIGGER runs_agentversion_governed ON runs_agentversion;
DROP TRIGGER runs_price_governed ON runs_price;
DROP TRIGGER runs_budget_governed ON runs_budget;
DROP FUNCTION runs_guard_publication(), runs_takes_up_laxer_tool(uuid, uuid), runs_guard_price(), runs_guard_budget(), runs_budget_subject(runs_budget);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("runs", "0010_campaigns"),
        ("identities", "0011_changes"),
        ("tools", "0007_terms_take_two"),
    ]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
