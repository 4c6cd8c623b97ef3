-- Requests with the grants they become, session certificates, and two numbers that only go up.
--
-- Rules for every statement here, so that PostgreSQL can serve the same port: time is BIGINT microseconds, identifiers are
-- TEXT, documents are JSON in TEXT, nothing asks the database for the time.

CREATE TABLE requests (
    id        TEXT    NOT NULL PRIMARY KEY,
    user_name TEXT    NOT NULL,
    role_name TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    filed     BIGINT  NOT NULL,
    version   BIGINT  NOT NULL,
    document  TEXT    NOT NULL
);

CREATE INDEX requests_by_time ON requests (filed, id);
CREATE INDEX requests_by_user ON requests (user_name, filed, id);
CREATE INDEX requests_by_role ON requests (role_name, filed, id);

-- What is open is asked for at every command and by everyone who waits; everything that ever was is kept. These two hold the
-- open ones alone, so that the question costs the same after years.
CREATE INDEX requests_open ON requests (filed, id) WHERE state IN ('pending', 'approved', 'active');
CREATE INDEX requests_open_by_user ON requests (user_name, filed, id) WHERE state IN ('pending', 'approved', 'active');

CREATE TABLE certificates (
    serial       BIGINT  NOT NULL PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    user_name    TEXT    NOT NULL,
    key_print    TEXT    NOT NULL,
    grants       TEXT    NOT NULL,
    issued       BIGINT  NOT NULL,
    valid_before BIGINT  NOT NULL,
    certificate  TEXT    NOT NULL,
    superseded   BOOLEAN NOT NULL
);

-- At most one certificate of a key counts, whatever the code above does.
CREATE UNIQUE INDEX certificates_current ON certificates (key_print) WHERE NOT superseded;

CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO counters (name, value) VALUES ('next_serial', 1);
