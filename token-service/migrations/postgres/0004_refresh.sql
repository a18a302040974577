-- When a refresh with this secret was begun whose end is not known. It is
-- written before the provider is asked, so that it is there after a crash.
ALTER TABLE credentials ADD COLUMN refresh_begun_at BIGINT;
-- Why the last refresh failed, in a fixed word; as long as retry_at counts.
ALTER TABLE credentials ADD COLUMN last_error TEXT;
