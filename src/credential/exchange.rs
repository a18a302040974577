//! Token exchange (RFC 8693).
