-- What happened to whose credential. Never a secret.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    server TEXT NOT NULL,
    source TEXT NOT NULL,
    request_id TEXT NOT NULL
);

CREATE INDEX audit_by_time ON audit (at);
