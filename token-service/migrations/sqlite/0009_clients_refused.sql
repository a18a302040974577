-- Since when the authorization server refuses the client, without having taken
-- it in between.
ALTER TABLE clients ADD COLUMN refused_since INTEGER;
