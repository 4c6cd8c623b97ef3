-- Entries that the audit log may not have yet: each is stored with the change it speaks of and removed once it is written.

CREATE TABLE owed_entries (
    id    BIGINT NOT NULL PRIMARY KEY,
    event TEXT   NOT NULL
);

INSERT INTO counters (name, value) VALUES ('next_owed', 1);
