-- A function is looked into when it is called: those of other parts may come later.
SET LOCAL check_function_bodies = off;

CREATE FUNCTION approvals_guard_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM approvals_approvalstage s WHERE s.request_id = NEW.id)
        AND NOT EXISTS (SELECT FROM approvals_approvalstage s WHERE s.request_id = NEW.id AND s.needed > (
            SELECT least(count(DISTINCT d.decided_by_id), count(DISTINCT coalesce(d.deputy_for_id, d.decided_by_id)))
            FROM approvals_approvaldecision d
            WHERE d.request_id = NEW.id AND d.stage = s.place AND d.verdict = 'approve' AND d.digest = NEW.digest))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'approval % takes more people: approved refused', NEW.id USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvalrequest_approved BEFORE UPDATE OF state ON approvals_approvalrequest
    FOR EACH ROW WHEN (NEW.state = 'approved' AND OLD.state <> 'approved')
    EXECUTE FUNCTION approvals_guard_approved();

-- Superusers are people like others: who asked, owns the agent or is served decides about nothing of it.
CREATE FUNCTION approvals_guard_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND identities_is_person(NEW.decided_by_id)
        AND NOT approvals_has_part(NEW.request_id, NEW.decided_by_id)
        AND NOT EXISTS (SELECT FROM approvals_absence s, approvals_approvalrequest a
            WHERE a.id = NEW.request_id AND s.deputy_id = NEW.decided_by_id
                AND approvals_stands(s, a, NEW.decided_at) AND approvals_has_part(a.id, s.absent_id))
        AND (NEW.absence_id IS NULL AND NEW.deputy_for_id IS NULL OR EXISTS (
            SELECT FROM approvals_absence s, approvals_approvalrequest a
            WHERE a.id = NEW.request_id AND s.id = NEW.absence_id AND s.absent_id = NEW.deputy_for_id
                AND s.deputy_id = NEW.decided_by_id AND approvals_stands(s, a, NEW.decided_at)
                AND identities_is_person(s.absent_id) AND approvals_is_asked(a.id, s.absent_id, NEW.stage)
                AND (s.group_id IS NULL OR approvals_is_asked_in(s.group_id, s.absent_id, a.id, NEW.stage))
                AND approvals_approves_in(s.deputy_id, a.team_id)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a decision is of somebody apart, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvaldecision_apart BEFORE INSERT OR UPDATE OR DELETE ON approvals_approvaldecision
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_decision();

CREATE FUNCTION approvals_guard_stage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what a request takes is final: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvalstage_final BEFORE UPDATE OR DELETE ON approvals_approvalstage
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_stage();

-- A group is let decide when its rung of the ladder has come.
CREATE FUNCTION approvals_guard_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM approvals_approvalstage s JOIN approvals_approvalrequest a ON a.id = s.request_id,
            jsonb_array_elements(s.ladder) rung
        WHERE s.request_id = NEW.request_id AND s.place = NEW.place
            AND rung -> 1 = coalesce(to_jsonb(NEW.group_id), 'null') AND ((rung ->> 0)::int = 0 OR s.place = a.stage
                AND NEW.opened_at >= coalesce(a.stage_at, a.created_at) + make_interval(secs => (rung ->> 0)::int)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'who decides is what the stage says, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_stagegroup_final BEFORE INSERT OR UPDATE OR DELETE ON approvals_stagegroup
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_asked();

-- A rule is not edited, only ended. Which one stands before which decides too, so all of them are compared as one.
CREATE FUNCTION approvals_guard_rule() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_approvalrule;
    loosens boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        loosens := EXISTS (SELECT FROM approvals_approvalrule r
            WHERE r.team_id = NEW.team_id AND (r.ended_at IS NULL OR r.ended_at = transaction_timestamp())
                AND r.place >= NEW.place);
        IF identities_may_write('approval_rule.set', NEW.team_id::text || ':' || NEW.place::text, NEW.team_id, loosens, NEW)
            -- What was signed as the end of a rule says of no column how it is to be.
            AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'approval_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.place::text AND p.after = '{}'
                AND p.activated_in = pg_current_xact_id()::text::bigint) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        ended := OLD;
        ended.ended_at := transaction_timestamp();
        IF NEW IS NOT DISTINCT FROM ended AND (identities_change_needs('approval_rule.set', NEW.team_id) = 'one'
            OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'approval_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.place::text AND p.state = 'activated'
                AND p.activated_in = pg_current_xact_id()::text::bigint))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an approval rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvalrule_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_approvalrule
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_rule();

CREATE FUNCTION approvals_guard_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM approvals_approvalrequest a
        JOIN approvals_approvalrequest f ON f.id = a.follows_id AND f.state = 'edited' AND f.key = a.key
        JOIN approvals_approvaldecision d ON d.request_id = f.id AND d.verdict = 'edit'
        JOIN ledger_entry e ON e.stream = f.id AND e.seq > 1 AND e.kind = 'approval.decided'
            AND e.actor = d.decided_by_id AND e.facts ->> 'verdict' = 'edit' AND e.facts ->> 'edited' = a.digest
        WHERE a.id = NEW.request_id AND a.edited_by_id = NEW.decided_by_id AND d.decided_by_id = NEW.decided_by_id
            AND NEW.verdict = 'approve' AND NEW.digest = a.digest)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'nobody has edited the call of % into this one: yes by edit refused', NEW.request_id
        USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvaldecision_by_edit BEFORE INSERT ON approvals_approvaldecision
    FOR EACH ROW WHEN (NEW.by_edit) EXECUTE FUNCTION approvals_guard_edit();

-- Whether a person has a part in a request: who asked, owns the agent, issued the key or is served, here or further up.
CREATE FUNCTION approvals_has_part(asked uuid, person uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user u, approvals_approvalrequest a
        JOIN identities_agentidentity i ON i.id = a.identity_id JOIN identities_principal p ON p.id = a.principal_id
        WHERE u.id = $2 AND a.id = $1 AND (u.id = a.requested_by_id OR u.id = a.owner_id OR u.id = a.key_issuer_id
            OR u.id = i.owner_id OR p.issuer = 'agentops' AND p.subject = u.username
            OR EXISTS (SELECT FROM approvals_approvalparent b
                JOIN identities_agentidentity o ON o.id = b.identity_id JOIN identities_principal q ON q.id = b.principal_id
                WHERE b.request_id = a.id AND (b.requested_by_id = u.id OR b.owner_id = u.id OR b.key_issuer_id = u.id
                    OR o.owner_id = u.id OR q.issuer = 'agentops' AND q.subject = u.username))))
$$;

-- Whether a person has some tool of a team to approve.
CREATE FUNCTION approvals_approves_in(person uuid, team uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM tools_tooluserobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
            JOIN tools_tool t ON t.id = p.content_object_id
            WHERE p.user_id = $1 AND t.team_id = $2 AND c.codename = 'approve_calls')
        OR EXISTS (SELECT FROM tools_toolgroupobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
            JOIN tools_tool t ON t.id = p.content_object_id JOIN identities_user_groups m ON m.group_id = p.group_id
            WHERE m.user_id = $1 AND t.team_id = $2 AND c.codename = 'approve_calls')
$$;

-- Whether a stage asks a person, who has the tool's calls to approve.
CREATE FUNCTION approvals_is_asked(asked uuid, person uuid, place integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM approvals_stagegroup g WHERE g.request_id = $1 AND g.place = $3
            AND (g.group_id IS NULL OR EXISTS (SELECT FROM identities_user_groups m
                WHERE m.user_id = $2 AND m.group_id = g.group_id)))
        AND EXISTS (SELECT FROM approvals_approvalrequest a, auth_permission c WHERE a.id = $1 AND c.codename = 'approve_calls'
            AND (EXISTS (SELECT FROM tools_tooluserobjectpermission p
                    WHERE p.user_id = $2 AND p.content_object_id = a.tool_id AND p.permission_id = c.id)
                OR EXISTS (SELECT FROM tools_toolgroupobjectpermission p JOIN identities_user_groups m ON m.group_id = p.group_id
                    WHERE m.user_id = $2 AND p.content_object_id = a.tool_id AND p.permission_id = c.id)))
$$;

-- Whether a stage asks a person as one of a group: by its name, or because the group has the tool's calls to approve.
CREATE FUNCTION approvals_is_asked_in(in_group integer, person uuid, asked uuid, place integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user_groups m WHERE m.user_id = $2 AND m.group_id = $1)
        AND EXISTS (SELECT FROM approvals_stagegroup g WHERE g.request_id = $3 AND g.place = $4
            AND (g.group_id = $1 OR g.group_id IS NULL AND EXISTS (SELECT FROM approvals_approvalrequest a
                JOIN tools_toolgroupobjectpermission p ON p.content_object_id = a.tool_id
                JOIN auth_permission c ON c.id = p.permission_id
                WHERE a.id = $3 AND p.group_id = $1 AND c.codename = 'approve_calls')))
$$;

-- Whether an absence counts at a time, for requests of a team and a tool.
CREATE FUNCTION approvals_stands(s approvals_absence, a approvals_approvalrequest, at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT s.ended_at IS NULL AND at >= s.begins_at AND at < s.ends_at
        AND (s.team_id IS NULL OR s.team_id = a.team_id) AND (s.tool_id IS NULL OR s.tool_id = a.tool_id)
$$;

-- Who names a deputy is away themselves, or two people have signed it. It is taken back once, and never changed.
CREATE FUNCTION approvals_guard_absence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_absence;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NULL AND NEW.ended_by_id IS NULL
            AND identities_is_person(NEW.absent_id) AND identities_is_person(NEW.deputy_id)
            AND (NEW.declared_by_id = NEW.absent_id OR NEW.declared_by_id <> NEW.deputy_id AND identities_may_write('absence.declare',
                NEW.absent_id::text || ':' || NEW.deputy_id::text, NEW.team_id, true, NEW)
                AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'absence.declare'
                    AND p.checker_id = NEW.deputy_id AND p.activated_in = pg_current_xact_id()::text::bigint)) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL THEN
        ended := OLD;
        ended.ended_at := NEW.ended_at;
        ended.ended_by_id := NEW.ended_by_id;
        IF NEW IS NOT DISTINCT FROM ended THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'another''s deputy takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_absence_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_absence
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_absence();

-- An account that is closed ends what it left to others and what others left to it: to open it again revives nothing.
CREATE FUNCTION approvals_end_absences() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE approvals_absence SET ended_at = clock_timestamp()
        WHERE ended_at IS NULL AND (absent_id = NEW.id OR deputy_id = NEW.id);
    RETURN NEW;
END $$;

CREATE TRIGGER identities_user_absences AFTER UPDATE OF is_active ON identities_user
    FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION approvals_end_absences();

-- Fewer requests opened, or larger amounts, is what loosens; a rule where none stood does, for all had to be opened.
CREATE FUNCTION approvals_guard_sampling() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_samplingrule;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF identities_may_write('sampling_rule.set', NEW.team_id::text || ':' || NEW.effect, NEW.team_id,
                NOT EXISTS (SELECT FROM approvals_samplingrule r
                    WHERE r.team_id = NEW.team_id AND r.effect = NEW.effect AND r.ended_at = transaction_timestamp()
                        AND NEW.at_least >= r.at_least AND NEW.percent >= r.percent
                        AND (NEW.max_amount IS NULL OR NEW.max_amount <= r.max_amount AND NEW.currency = r.currency)),
                NEW) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        ended := OLD;
        ended.ended_at := transaction_timestamp();
        -- To end one takes away: everything has to be opened again.
        IF NEW IS NOT DISTINCT FROM ended AND (identities_change_needs('sampling_rule.set', NEW.team_id) <> 'two'
            OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'sampling_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.effect AND p.state = 'activated'
                AND p.activated_in = pg_current_xact_id()::text::bigint))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a sampling rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_samplingrule_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_samplingrule
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_sampling();

-- What somebody has confirmed, and what became of it, stays as it was.
CREATE FUNCTION approvals_guard_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.person_id = OLD.person_id AND (OLD.state = 'draft'
        OR NEW.state IN (OLD.state, 'done') AND NEW.verdict = OLD.verdict AND NEW.digest = OLD.digest
            AND NEW.confirmed_at = OLD.confirmed_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a batch stays as it was confirmed: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvalbatch_final BEFORE UPDATE OR DELETE ON approvals_approvalbatch
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_batch();

CREATE FUNCTION approvals_guard_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state <> 'decided' AND NEW.batch_id = OLD.batch_id
        AND NEW.request_id = OLD.request_id AND NEW.digest = OLD.digest AND (NEW.opening = OLD.opening OR OLD.opening = '')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an item of a batch stays as it was shown: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_batchitem_final BEFORE UPDATE OR DELETE ON approvals_batchitem
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_item();

CREATE FUNCTION approvals_guard_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what somebody has looked at stays so: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_openedrequest_final BEFORE UPDATE OR DELETE ON approvals_openedrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_opened();

CREATE FUNCTION approvals_guard_request() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone_on approvals_approvalrequest;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        gone_on := OLD;
        IF OLD.state = 'waiting' AND NEW.state = 'waiting' THEN
            gone_on.escalates_at := NEW.escalates_at;
            IF NEW.stage = OLD.stage + 1 OR OLD.stage_at IS NULL AND NEW.stage = OLD.stage THEN
                gone_on.stage := NEW.stage;
                gone_on.stage_at := greatest(NEW.stage_at, OLD.stage_at, OLD.created_at);
            END IF;
        ELSIF OLD.state = 'waiting' AND NEW.state IN ('approved', 'denied', 'expired', 'voided', 'edited', 'asked')
            OR OLD.state = 'approved' AND NEW.state = 'voided' THEN
            gone_on.state := NEW.state;
            gone_on.decided_at := coalesce(NEW.decided_at, OLD.created_at);
        ELSIF OLD.state = 'approved' AND NEW.state = 'approved' AND OLD.consumed_at IS NULL THEN
            gone_on.consumed_at := NEW.consumed_at;
        END IF;
        IF NEW IS NOT DISTINCT FROM gone_on THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what was asked in approval % is final: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvalrequest_final BEFORE UPDATE OR DELETE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request();

-- For whom a request acts is written with it, before the first entry of its stream.
CREATE FUNCTION approvals_guard_parent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.stream = NEW.request_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'for whom a request acts is final: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_approvalparent_final BEFORE INSERT OR UPDATE OR DELETE ON approvals_approvalparent
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_parent();

-- The first rule of a team only asks more of its people. What takes its place, or ends it, takes a second person.
CREATE FUNCTION approvals_guard_oversight() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_oversightrule;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NULL AND identities_may_write('oversight_rule.set', NEW.team_id::text, NEW.team_id,
                EXISTS (SELECT FROM approvals_oversightrule r
                    WHERE r.team_id = NEW.team_id AND r.ended_at = transaction_timestamp()), NEW)
            -- What was signed as the end of a rule says of no column how it is to be.
            AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'oversight_rule.set'
                AND p.subject = NEW.team_id::text AND p.after = '{}'
                AND p.activated_in = pg_current_xact_id()::text::bigint) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        ended := OLD;
        ended.ended_at := transaction_timestamp();
        IF NEW IS NOT DISTINCT FROM ended AND (identities_change_needs('oversight_rule.set', NEW.team_id) = 'one'
            OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'oversight_rule.set'
                AND p.subject = NEW.team_id::text AND p.state = 'activated'
                AND p.activated_in = pg_current_xact_id()::text::bigint))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an oversight rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_oversightrule_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_oversightrule
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_oversight();

-- What a second person says stays, and nobody looks a second time at what they decided themselves.
CREATE FUNCTION approvals_guard_second_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.seen_at IS NULL AND NEW.request_id = OLD.request_id AND NEW.rule_id = OLD.rule_id
        AND NEW.stage IS NOT DISTINCT FROM OLD.stage AND NEW.drawn_at = OLD.drawn_at
        AND NOT EXISTS (SELECT FROM approvals_approvaldecision d WHERE d.request_id = NEW.request_id
            AND NEW.seen_by_id IN (d.decided_by_id, d.deputy_for_id)
            AND (NEW.stage IS NULL OR d.stage <> NEW.stage))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a second look is of somebody else, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;

CREATE TRIGGER approvals_secondlook_final BEFORE UPDATE OR DELETE ON approvals_secondlook
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_second_look();
