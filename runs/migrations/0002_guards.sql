-- A function is looked into when it is called: those of other parts may come later.
SET LOCAL check_function_bodies = off;

CREATE FUNCTION runs_guard_agent_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    retired runs_agentversion;
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'published' THEN
        retired := OLD;
        retired.state := 'retired';
        IF NEW IS NOT DISTINCT FROM retired OR NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'agent version % is %: % refused', OLD.id, OLD.state, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER runs_agentversion_immutable BEFORE UPDATE OR DELETE ON runs_agentversion
    FOR EACH ROW EXECUTE FUNCTION runs_guard_agent_version();

CREATE FUNCTION runs_guard_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    frozen boolean;
BEGIN
    -- The lock makes this wait for a publication that is under way, and then see it.
    SELECT bool_or(version.state <> 'draft') INTO frozen FROM (
        SELECT state FROM runs_agentversion WHERE id IN (OLD.agentversion_id, NEW.agentversion_id) FOR SHARE
    ) AS version;
    IF frozen THEN
        RAISE EXCEPTION 'the catalogue of a published version: % refused', TG_OP USING ERRCODE = '42501';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER runs_agentversion_catalogue_immutable
    BEFORE INSERT OR UPDATE OR DELETE ON runs_agentversion_catalogue
    FOR EACH ROW EXECUTE FUNCTION runs_guard_catalogue();

CREATE FUNCTION runs_guard_bounds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.parent_id, NEW.line, NEW.limits, NEW.proof, NEW.credential_id)
        IS DISTINCT FROM (OLD.parent_id, OLD.line, OLD.limits, OLD.proof, OLD.credential_id) THEN
        RAISE EXCEPTION 'run %: what it was started within does not change', OLD.id USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_run_bounds BEFORE UPDATE OF parent_id, line, limits, proof, credential_id ON runs_run
    FOR EACH ROW EXECUTE FUNCTION runs_guard_bounds();

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

CREATE TRIGGER runs_budget_governed BEFORE INSERT OR UPDATE OR DELETE ON runs_budget
    FOR EACH ROW EXECUTE FUNCTION runs_guard_budget();

CREATE FUNCTION runs_budget_subject(budget runs_budget) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT budget.team_id::text || ':' || coalesce(budget.identity_id::text, '') || ':' || budget."window"
$$;

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
        OR coalesce(array_position(ARRAY['planner', 'words', ''], NEW.plan::text)
            > array_position(ARRAY['planner', 'words', ''], before.plan::text), false)
        OR before.off_plan IS NOT NULL AND before.off_plan = 'DENY' AND NEW.off_plan <> 'DENY'
        OR before.max_extensions IS NOT NULL AND (NEW.max_extensions > before.max_extensions
            OR NEW.extension_percent > before.extension_percent)
        OR runs_takes_up_laxer_tool(NEW.id, before.id), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to publish this version takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER runs_agentversion_governed BEFORE INSERT OR UPDATE OF state ON runs_agentversion
    FOR EACH ROW EXECUTE FUNCTION runs_guard_publication();

-- Rows that are written several times stay on their page, which spares every index.
ALTER TABLE runs_run SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE runs_step SET (fillfactor = 70);
ALTER TABLE runs_tool_call SET (fillfactor = 70);
ALTER TABLE runs_budgetwindow SET (fillfactor = 40);
