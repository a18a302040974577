-- For the links that are too many.
CREATE INDEX consents_by_owner ON consents (issuer, subject, server, step);
