-- Who did it: 'owner', 'service', 'unknown', 'filter:' with the key's id, or
-- 'caller:' with subject type, issuer and subject.
ALTER TABLE audit ADD COLUMN actor TEXT NOT NULL DEFAULT 'unknown';
