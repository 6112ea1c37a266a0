ALTER TABLE spans ADD COLUMN IF NOT EXISTS instructions Array(UInt64) CODEC(ZSTD(1)) AFTER content_state;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS tools Array(LowCardinality(String)) AFTER instructions;
ALTER TABLE calls ADD INDEX IF NOT EXISTS by_configuration configuration TYPE set(100) GRANULARITY 4;
