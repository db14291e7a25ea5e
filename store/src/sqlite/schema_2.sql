-- Version 2: what a batch may write yet, and of each tenant what it has, so that nobody adds up 100,000 batches for one.

-- The most that the text of one of its results has.
ALTER TABLE batch ADD COLUMN result_bytes INTEGER NOT NULL DEFAULT 1024;
ALTER TABLE dataset ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
UPDATE dataset SET tenant = COALESCE((SELECT tenant FROM batch WHERE batch.dataset = dataset.number LIMIT 1), '');

-- batches: all that are there. open: those that are not over. bytes: of batches and data. waiting: results of open batches
-- that are not there. reserved: the most that their texts have.
CREATE TABLE tenant (
    name TEXT PRIMARY KEY,
    batches INTEGER NOT NULL DEFAULT 0,
    open INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO tenant (name, batches, open, bytes, waiting, reserved)
    SELECT tenant, COUNT(*), SUM(state < 2), SUM(bytes), SUM((state < 2) * (results - done)),
           SUM((state < 2) * (results - done) * result_bytes)
    FROM batch GROUP BY tenant;
UPDATE tenant SET bytes = bytes + (SELECT COALESCE(SUM(dataset.bytes), 0) FROM dataset WHERE dataset.tenant = name);

CREATE TRIGGER batch_comes AFTER INSERT ON batch BEGIN
    INSERT OR IGNORE INTO tenant (name) VALUES (NEW.tenant);
    UPDATE tenant SET
        batches = batches + 1,
        open = open + (NEW.state < 2),
        bytes = bytes + NEW.bytes,
        waiting = waiting + (NEW.state < 2) * (NEW.results - NEW.done),
        reserved = reserved + (NEW.state < 2) * (NEW.results - NEW.done) * NEW.result_bytes
    WHERE name = NEW.tenant;
END;
CREATE TRIGGER batch_changes AFTER UPDATE OF state, done, bytes ON batch BEGIN
    UPDATE tenant SET
        open = open + (NEW.state < 2) - (OLD.state < 2),
        bytes = bytes + NEW.bytes - OLD.bytes,
        waiting = waiting + (NEW.state < 2) * (NEW.results - NEW.done) - (OLD.state < 2) * (OLD.results - OLD.done),
        reserved = reserved + ((NEW.state < 2) * (NEW.results - NEW.done)
                               - (OLD.state < 2) * (OLD.results - OLD.done)) * NEW.result_bytes
    WHERE name = NEW.tenant;
END;
CREATE TRIGGER batch_goes AFTER DELETE ON batch BEGIN
    UPDATE tenant SET
        batches = batches - 1,
        open = open - (OLD.state < 2),
        bytes = bytes - OLD.bytes,
        waiting = waiting - (OLD.state < 2) * (OLD.results - OLD.done),
        reserved = reserved - (OLD.state < 2) * (OLD.results - OLD.done) * OLD.result_bytes
    WHERE name = OLD.tenant;
END;
CREATE TRIGGER data_come AFTER INSERT ON dataset BEGIN
    INSERT OR IGNORE INTO tenant (name) VALUES (NEW.tenant);
    UPDATE tenant SET bytes = bytes + NEW.bytes WHERE name = NEW.tenant;
END;
CREATE TRIGGER data_go AFTER DELETE ON dataset BEGIN
    UPDATE tenant SET bytes = bytes - OLD.bytes WHERE name = OLD.tenant;
END;
