-- The clients that the service has registered at authorization servers.
CREATE TABLE clients (
    provider TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    -- When the client's secret ends. NULL: never.
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (provider, redirect_uri)
);
