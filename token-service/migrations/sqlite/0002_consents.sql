CREATE TABLE consents (
    -- SHA-256 of the handle. Who reads the table cannot use the handle.
    handle_hash BLOB PRIMARY KEY,
    -- Which step the handle is for.
    step TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    server TEXT NOT NULL,
    source TEXT NOT NULL,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    expires_at INTEGER NOT NULL
);

CREATE INDEX consents_by_expiry ON consents (expires_at);
