-- A function is looked into when it is called: those of other parts may come later.
SET LOCAL check_function_bodies = off;

-- Whether somebody stands in, at a time, for a person with a part in a request: they count as little as that person.
CREATE FUNCTION approvals_stands_in_for_a_part(asked uuid, person uuid, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM approvals_absence s, approvals_approvalrequest a
        WHERE a.id = $1 AND s.deputy_id = $2 AND approvals_stands(s, a, $3) AND approvals_has_part(a.id, s.absent_id))
$$;

-- An auditor sees, and decides about nothing, whatever else somebody gave them.
CREATE FUNCTION approvals_audits(person uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user_groups m JOIN auth_group g ON g.id = m.group_id
        WHERE m.user_id = $1 AND g.name = 'auditor')
$$;

CREATE OR REPLACE FUNCTION approvals_guard_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND identities_is_person(NEW.decided_by_id) AND NOT approvals_audits(NEW.decided_by_id)
        AND NOT approvals_has_part(NEW.request_id, NEW.decided_by_id)
        AND NOT approvals_stands_in_for_a_part(NEW.request_id, NEW.decided_by_id, NEW.decided_at)
        AND (NEW.absence_id IS NULL AND NEW.deputy_for_id IS NULL OR EXISTS (
            SELECT FROM approvals_absence s, approvals_approvalrequest a
            WHERE a.id = NEW.request_id AND s.id = NEW.absence_id AND s.absent_id = NEW.deputy_for_id
                AND s.deputy_id = NEW.decided_by_id AND approvals_stands(s, a, NEW.decided_at)
                AND identities_is_person(s.absent_id) AND NOT approvals_audits(s.absent_id)
                AND NOT approvals_stands_in_for_a_part(a.id, s.absent_id, NEW.decided_at)
                AND approvals_is_asked(a.id, s.absent_id, NEW.stage)
                AND (s.group_id IS NULL OR approvals_is_asked_in(s.group_id, s.absent_id, a.id, NEW.stage))
                AND approvals_approves_in(s.deputy_id, a.team_id)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a decision is of somebody apart, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
