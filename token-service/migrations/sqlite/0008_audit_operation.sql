-- What was called, as the filter names it; cut off where it is long. NULL: it
-- is not a call, or the filter did not say.
ALTER TABLE audit ADD COLUMN operation_method TEXT;
ALTER TABLE audit ADD COLUMN operation_name TEXT;
