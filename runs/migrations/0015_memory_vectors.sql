-- Each note that runs may read has a row for its vector, and no other note has one: what is taken back, deleted or
-- erased takes it along, whoever does it, and what is released from quarantine is due for one.
CREATE FUNCTION runs_follow_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'active' THEN
        INSERT INTO runs_memoryvector (memory_id, due_at) VALUES (NEW.id, now()) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM runs_memoryvector WHERE memory_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_memory_has_vector AFTER INSERT OR UPDATE OF state ON runs_memory FOR EACH ROW
    EXECUTE FUNCTION runs_follow_memory();

INSERT INTO runs_memoryvector (memory_id, due_at) SELECT id, now() FROM runs_memory WHERE state = 'active'
ON CONFLICT DO NOTHING;
-- Its numbers do not become smaller by compressing, which is tried for nothing otherwise.
ALTER TABLE runs_memoryvector ALTER COLUMN numbers SET STORAGE EXTERNAL;
