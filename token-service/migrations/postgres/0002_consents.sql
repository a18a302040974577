CREATE TABLE consents (
    -- SHA-256 of the handle. Who reads the table cannot use the handle.
    handle_hash BYTEA PRIMARY KEY,
    -- Which step the handle is for.
    step TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    server TEXT NOT NULL,
    source TEXT NOT NULL,
    version BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX consents_by_expiry ON consents (expires_at);
