-- What an agent's runs may remember is a guardrail too: to publish a version that may remember more takes a second
-- person.
CREATE OR REPLACE FUNCTION runs_guard_publication() RETURNS trigger LANGUAGE plpgsql AS $$
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
        OR coalesce(NOT before.redact <@ NEW.redact, false)
        OR coalesce(array_position(ARRAY['', 'ask', 'auto', 'all'], NEW.memory::text)
            > array_position(ARRAY['', 'ask', 'auto', 'all'], before.memory::text), false)
        OR runs_takes_up_laxer_tool(NEW.id, before.id), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to publish this version takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

-- Whose a note is, and what it rests on, is said once; what was taken back or deleted comes back by nobody.
CREATE FUNCTION runs_guard_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.identity_id, NEW.principal_id, NEW.run_id, NEW.step, NEW.call, NEW.label, NEW.sensitive,
            NEW.written_at) IS DISTINCT FROM
        (OLD.id, OLD.identity_id, OLD.principal_id, OLD.run_id, OLD.step, OLD.call, OLD.label, OLD.sensitive,
            OLD.written_at) THEN
        RAISE EXCEPTION 'a note stays whose it is' USING ERRCODE = '42501';
    END IF;
    IF NEW.state <> 'deleted' AND (NEW.text, NEW.passages) IS DISTINCT FROM (OLD.text, OLD.passages) THEN
        RAISE EXCEPTION 'a note says what it says until it is deleted' USING ERRCODE = '42501';
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state = ANY (ARRAY['quarantined>active',
            'quarantined>reverted', 'quarantined>deleted', 'active>reverted', 'active>deleted', 'reverted>deleted'])) THEN
        RAISE EXCEPTION 'a note that was % does not become %', OLD.state, NEW.state USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER runs_memory_guarded BEFORE UPDATE ON runs_memory FOR EACH ROW EXECUTE FUNCTION runs_guard_memory();
