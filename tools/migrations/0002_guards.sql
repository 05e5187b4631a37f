-- A function is looked into when it is called: those of other parts may come later.
SET LOCAL check_function_bodies = off;

CREATE FUNCTION tools_guard_tool_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tool version % is immutable: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER tools_toolversion_immutable BEFORE UPDATE OR DELETE ON tools_toolversion
    FOR EACH ROW EXECUTE FUNCTION tools_guard_tool_version();

CREATE FUNCTION tools_guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended tools_toolgrant;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'active' AND NEW.state IN ('superseded', 'revoked') THEN
        ended := OLD;
        ended.state := NEW.state;
        IF NEW IS NOT DISTINCT FROM ended THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'grant % is immutable: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER tools_toolgrant_immutable BEFORE UPDATE OR DELETE ON tools_toolgrant
    FOR EACH ROW EXECUTE FUNCTION tools_guard_grant();

CREATE FUNCTION tools_guard_user_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended tools_userterms;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL THEN
        ended := OLD;
        ended.ended_at := NEW.ended_at;
        IF NEW IS NOT DISTINCT FROM ended THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'terms % are immutable: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER tools_userterms_immutable BEFORE UPDATE OR DELETE ON tools_userterms
    FOR EACH ROW EXECUTE FUNCTION tools_guard_user_terms();

-- Whether every cap of before is kept by one of after that binds at least as tightly.
CREATE FUNCTION tools_keeps_caps(before jsonb, after jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT NOT EXISTS (SELECT FROM jsonb_array_elements(before) b WHERE NOT EXISTS (
        SELECT FROM jsonb_array_elements(after) a WHERE a ->> 'per' = b ->> 'per'
            AND (b ->> 'count' IS NULL OR (a ->> 'count')::numeric <= (b ->> 'count')::numeric)
            AND (b ->> 'amount' IS NULL OR (a ->> 'amount')::numeric <= (b ->> 'amount')::numeric)))
$$;

-- As before, and: to ask another table, or none, loosens.
CREATE FUNCTION tools_grant_loosens(before tools_toolgrant, after tools_toolgrant) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT after.decision <> 'DENY' AND coalesce(before.state = 'revoked' OR before.decision = 'DENY'
        OR array_position(strictest_first, after.decision::text)
            > array_position(strictest_first, before.decision::text)
        OR after.over_caps <> 'DENY' AND before.over_caps = 'DENY'
        OR after.approval_ttl_s > before.approval_ttl_s
        OR before.valid_until IS NOT NULL
            AND (after.valid_until IS NULL OR after.valid_until > before.valid_until)
        OR before.policy_table_id IS NOT NULL
            AND after.policy_table_id IS DISTINCT FROM before.policy_table_id
        OR coalesce(after.veto_s, 0) < coalesce(before.veto_s, 0)
        OR coalesce(before.confirmation, false) AND NOT coalesce(after.confirmation, false)
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

-- As before, and: a binding may be added or ask for more, it may not go.
CREATE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
        OR NOT after.bound @> before.bound
        OR after.provenance <> before.provenance
        OR EXISTS (
            SELECT FROM jsonb_each(before.resolvers) AS b
            WHERE NOT coalesce((after.resolvers -> b.key) - 'fresh_s' = b.value - 'fresh_s'
                AND CASE WHEN b.value ? 'fresh_s' AND (after.resolvers -> b.key) ? 'fresh_s'
                    THEN (after.resolvers -> b.key -> 'fresh_s') <= (b.value -> 'fresh_s')
                    ELSE (b.value ? 'fresh_s') = ((after.resolvers -> b.key) ? 'fresh_s') END, false))
        OR coalesce(after.max_concurrency, 32767) > coalesce(before.max_concurrency, 32767)
        OR (before.preview IS NOT NULL AND after.preview IS DISTINCT FROM before.preview)
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

CREATE FUNCTION tools_guard_table_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended tools_decisiontableversion;
    team uuid;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.state = 'draft' THEN
            RETURN OLD;
        END IF;
    ELSIF NEW.state = 'draft' AND (TG_OP = 'INSERT' OR OLD.state = 'draft' AND OLD.table_id = NEW.table_id) THEN
        RETURN NEW;
    ELSIF NEW.state = 'published' AND (TG_OP = 'INSERT' OR OLD.state = 'draft' AND OLD.table_id = NEW.table_id) THEN
        team := (SELECT team_id FROM tools_decisiontable WHERE id = NEW.table_id);
        IF identities_may_write('decision_table.publish', NEW.table_id::text, team, true, NEW) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'to publish this table takes a second person: % refused', TG_OP USING ERRCODE = '42501';
    ELSIF TG_OP = 'UPDATE' AND OLD.state = 'published' AND NEW.state = 'retired' THEN
        ended := OLD;
        ended.state := NEW.state;
        ended.retired_at := NEW.retired_at;
        IF NEW IS NOT DISTINCT FROM ended AND NEW.retired_at IS NOT NULL THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a published decision table is immutable: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER tools_decisiontableversion_governed BEFORE INSERT OR UPDATE OR DELETE ON tools_decisiontableversion
    FOR EACH ROW EXECUTE FUNCTION tools_guard_table_version();

-- A table that is named by its slug must not become another one.
CREATE FUNCTION tools_guard_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.team_id, NEW.slug) IS NOT DISTINCT FROM (OLD.id, OLD.team_id, OLD.slug) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'decision table % keeps its team and its slug: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER tools_decisiontable_named BEFORE UPDATE ON tools_decisiontable
    FOR EACH ROW EXECUTE FUNCTION tools_guard_table();

CREATE FUNCTION tools_guard_lint_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lint override % is on the record: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER tools_lintoverride_immutable BEFORE UPDATE OR DELETE ON tools_lintoverride
    FOR EACH ROW EXECUTE FUNCTION tools_guard_lint_override();

-- Rows that are written several times stay on their page, which spares every index.
ALTER TABLE tools_effectrecord SET (fillfactor = 70);
ALTER TABLE tools_capusage SET (fillfactor = 40);
-- Keys are looked up whole, never by how they begin.
DROP INDEX tools_effectrecord_key_17daf271_like;
