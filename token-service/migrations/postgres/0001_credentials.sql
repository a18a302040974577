CREATE TABLE credentials (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    server TEXT NOT NULL,
    source TEXT NOT NULL,
    method TEXT NOT NULL,
    -- Another one for each secret; never the same again.
    version BIGINT NOT NULL,
    -- The key that the data key is wrapped with.
    key_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    -- Separated by spaces.
    scopes TEXT NOT NULL,
    -- Times are in seconds since 1970. NULL: not known.
    expires_at BIGINT,
    status TEXT NOT NULL,
    -- No refresh before this time, after one that failed.
    retry_at BIGINT,
    -- Who refreshes it, and until when nobody else may.
    lease_holder TEXT,
    lease_until BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject, subject_type, server, source, method)
);

CREATE INDEX credentials_by_server ON credentials (server, method);
