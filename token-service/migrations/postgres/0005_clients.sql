-- The clients that the service has registered at authorization servers.
CREATE TABLE clients (
    provider TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    version BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    -- When the client's secret ends. NULL: never.
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (provider, redirect_uri)
);
