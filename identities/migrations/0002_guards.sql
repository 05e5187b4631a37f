-- A function is looked into when it is called: those of other parts may come later.
SET LOCAL check_function_bodies = off;

CREATE FUNCTION identities_guard_secret() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed identities_secret := OLD;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        allowed.purpose := NEW.purpose;
        allowed.state := NEW.state;
        allowed.rotated_at := NEW.rotated_at;
        allowed.expires_at := NEW.expires_at;
        allowed.last_used_at := NEW.last_used_at;
        IF NEW.version = OLD.version + 1 THEN
            allowed.version := NEW.version;
            allowed.sealed_value := NEW.sealed_value;
        ELSIF split_part(NEW.sealed_value, '.', 5) = split_part(OLD.sealed_value, '.', 5) THEN
            allowed.sealed_value := NEW.sealed_value;
        END IF;
        IF NEW IS NOT DISTINCT FROM allowed AND (OLD.state = 'active' OR NEW.state = OLD.state) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'secret % is changed by its services only: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER identities_secret_guarded BEFORE UPDATE OR DELETE ON identities_secret
    FOR EACH ROW EXECUTE FUNCTION identities_guard_secret();

CREATE FUNCTION identities_guard_roles() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    groups integer[] := CASE TG_TABLE_NAME
        WHEN 'auth_group' THEN ARRAY[(to_jsonb(OLD) ->> 'id')::integer]
        ELSE ARRAY[(to_jsonb(OLD) ->> 'group_id')::integer, (to_jsonb(NEW) ->> 'group_id')::integer] END;
BEGIN
    IF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') AND EXISTS (
        SELECT FROM auth_group WHERE id = ANY(groups)
            AND name IN ('auditor', 'approver', 'tool owner', 'identity admin', 'operator')
    ) THEN
        RAISE EXCEPTION 'a role is fixed: % refused', TG_OP USING ERRCODE = '42501';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER identities_role_fixed BEFORE UPDATE OR DELETE ON auth_group
    FOR EACH ROW EXECUTE FUNCTION identities_guard_roles();

CREATE TRIGGER identities_role_permissions_fixed BEFORE INSERT OR UPDATE OR DELETE ON auth_group_permissions
    FOR EACH ROW EXECUTE FUNCTION identities_guard_roles();

CREATE FUNCTION identities_guard_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decided identities_changeproposal;
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state = 'waiting' AND NEW.checker_id IS NULL AND NEW.decided_at IS NULL
        AND identities_is_person(NEW.maker_id) THEN
        NEW.activated_in := NULL;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'waiting' AND NEW.state <> 'waiting' THEN
        NEW.activated_in := CASE NEW.state WHEN 'activated' THEN pg_current_xact_id()::text::bigint END;
        decided := OLD;
        decided.state := NEW.state;
        decided.checker_id := NEW.checker_id;
        decided.decided_at := NEW.decided_at;
        decided.answer := NEW.answer;
        decided.activated_in := NEW.activated_in;
        IF NEW IS NOT DISTINCT FROM decided AND (NEW.state <> 'activated'
            OR identities_is_person(NEW.checker_id) AND OLD.expires_at > clock_timestamp()) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'change proposal %: % refused', coalesce(OLD.id, NEW.id), TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER identities_changeproposal_decided_once BEFORE INSERT OR UPDATE OR DELETE ON identities_changeproposal
    FOR EACH ROW EXECUTE FUNCTION identities_guard_proposal();

CREATE FUNCTION identities_is_person(account uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user WHERE id = account AND kind = 'person' AND is_active)
$$;

CREATE FUNCTION identities_change_needs(verb text, team uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT needs FROM identities_changerule r
        WHERE r.verb = $1 AND (r.team_id = $2 OR r.team_id IS NULL) ORDER BY r.team_id NULLS LAST LIMIT 1),
        'two_to_loosen')
$$;

-- Whether this row may be written: one person may, or two signed this change of this subject with this transaction.
CREATE FUNCTION identities_may_write(verb text, subject text, team uuid, loosens boolean, written anyelement)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE identities_change_needs($1, $3)
            WHEN 'one' THEN true WHEN 'two_to_loosen' THEN NOT coalesce($4, true) ELSE false END
        OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = $1 AND p.subject = $2
            AND p.state = 'activated' AND p.activated_in = pg_current_xact_id()::text::bigint
            AND jsonb_populate_record($5, p.after) IS NOT DISTINCT FROM $5)
$$;

CREATE FUNCTION identities_guard_rule() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    laxest_first text[] := ARRAY['one', 'two_to_loosen', 'two'];
    before text;
BEGIN
    IF TG_OP <> 'DELETE' AND (NEW.needs <> 'one' OR NEW.verb NOT IN ('rule.set', 'grant.waive')) THEN
        before := CASE TG_OP WHEN 'UPDATE' THEN OLD.needs ELSE identities_change_needs(NEW.verb, NEW.team_id) END;
        IF (TG_OP = 'INSERT' OR OLD.verb = NEW.verb AND OLD.team_id IS NOT DISTINCT FROM NEW.team_id)
            AND identities_may_write('rule.set', NEW.verb || ':' || coalesce(NEW.team_id::text, ''), NEW.team_id,
                array_position(laxest_first, NEW.needs::text) < array_position(laxest_first, before), NEW) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a change rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER identities_changerule_governed BEFORE INSERT OR UPDATE OR DELETE ON identities_changerule
    FOR EACH ROW EXECUTE FUNCTION identities_guard_rule();

-- What an agent may do was signed when it was granted, so that it begins takes two only where a rule says so.
CREATE FUNCTION identities_guard_activation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'active' OR TG_OP = 'UPDATE' AND OLD.state = 'active'
            AND (coalesce(OLD.expires_at > now(), true) OR NEW.expires_at <= now())
        OR identities_may_write('agent.activate', NEW.id::text, NEW.team_id, false, NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to let an agent act takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER identities_agentidentity_governed BEFORE INSERT OR UPDATE OF state, expires_at ON identities_agentidentity
    FOR EACH ROW EXECUTE FUNCTION identities_guard_activation();

-- An owner decides about nothing that the agent does, so nobody gets rid of that alone.
CREATE FUNCTION identities_guard_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.owner_id = OLD.owner_id OR identities_may_write('agent.hand_over', NEW.id::text, NEW.team_id,
        identities_is_person(OLD.owner_id), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'another owner takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER identities_agentidentity_owned BEFORE UPDATE OF owner_id ON identities_agentidentity
    FOR EACH ROW EXECUTE FUNCTION identities_guard_owner();
