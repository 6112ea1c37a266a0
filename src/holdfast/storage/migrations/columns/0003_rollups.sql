ALTER TABLE calls ADD COLUMN IF NOT EXISTS attempt Bool AFTER sample;
ALTER TABLE calls ADD COLUMN IF NOT EXISTS resends Nullable(UInt32) AFTER attempt;
ALTER TABLE calls ADD COLUMN IF NOT EXISTS cache_hit Nullable(Bool) AFTER resends;
ALTER TABLE calls ADD COLUMN IF NOT EXISTS configuration LowCardinality(String) AFTER cache_hit;
ALTER TABLE calls ADD INDEX IF NOT EXISTS by_received received_at TYPE minmax GRANULARITY 1;
ALTER TABLE calls MATERIALIZE INDEX by_received;
CREATE TABLE IF NOT EXISTS rollups (
  workspace LowCardinality(String),
  cuboid LowCardinality(String),
  bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1)),
  system LowCardinality(String),
  environment LowCardinality(String),
  route LowCardinality(String),
  provider LowCardinality(String),
  model LowCardinality(String),
  kind LowCardinality(String),
  sample Bool,
  cost_currency LowCardinality(String),
  agent LowCardinality(String),
  tenant LowCardinality(String),
  release LowCardinality(String),
  feature LowCardinality(String),
  configuration LowCardinality(String),
  rows UInt64,
  calls UInt64,
  responded UInt64,
  responded_rows UInt64,
  resends UInt64,
  errors UInt64,
  errors_model UInt64,
  errors_application UInt64,
  errors_rate_limit UInt64,
  errors_timeout UInt64,
  errors_content_filter UInt64,
  throttled UInt64,
  streamed UInt64,
  refusals UInt64,
  refusal_known UInt64,
  cache_hits UInt64,
  cache_hit_known UInt64,
  prompt_cached UInt64,
  prompt_cache_known UInt64,
  prompt_cache_input_tokens UInt64,
  input_known UInt64,
  output_known UInt64,
  reasoning_known UInt64,
  input_uncached_tokens UInt64,
  input_cache_read_tokens UInt64,
  input_cache_write_tokens UInt64,
  input_cache_write_5m_tokens UInt64,
  input_cache_write_1h_tokens UInt64,
  output_tokens UInt64,
  reasoning_tokens UInt64,
  input_audio_tokens UInt64,
  input_image_tokens UInt64,
  cache_read_audio_tokens UInt64,
  output_audio_tokens UInt64,
  output_image_tokens UInt64,
  cost Decimal(38, 15),
  unpriced UInt64,
  answered_unpriced UInt64,
  answered_without_usage UInt64,
  without_environment UInt64,
  without_release UInt64,
  without_route UInt64,
  without_tenant UInt64,
  without_user UInt64,
  without_session UInt64,
  without_agent UInt64,
  without_feature UInt64,
  reported_cost_calls UInt64,
  latency_bins Array(Int16) CODEC(ZSTD(1)),
  latency_counts Array(UInt64) CODEC(ZSTD(1)),
  ttft_bins Array(Int16) CODEC(ZSTD(1)),
  ttft_counts Array(UInt64) CODEC(ZSTD(1)),
  finish_names Array(LowCardinality(String)) CODEC(ZSTD(1)),
  finish_counts Array(UInt64) CODEC(ZSTD(1)),
  expires_at DateTime('UTC') CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (workspace, cuboid, bucket, version, system, environment, route)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024;

CREATE TABLE IF NOT EXISTS rollup_superseded (
  workspace LowCardinality(String),
  cuboid LowCardinality(String),
  bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1)),
  by UInt64 CODEC(Delta, ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (workspace, cuboid, bucket)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_state (
  version UInt64,
  received_ms Int64,
  closed_ms Int64,
  void Array(UInt64)
) ENGINE = MergeTree
ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
