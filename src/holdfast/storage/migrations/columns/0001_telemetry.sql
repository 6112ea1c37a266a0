CREATE TABLE spans (
  workspace LowCardinality(String),
  trace_id String CODEC(ZSTD(1)),
  span_id String CODEC(ZSTD(1)),
  parent_span_id String CODEC(ZSTD(1)),
  name String CODEC(ZSTD(1)),
  span_kind LowCardinality(String),
  kind LowCardinality(String),
  system LowCardinality(String),
  environment LowCardinality(String),
  started_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
  duration_ns Int64 CODEC(ZSTD(1)),
  status LowCardinality(String),
  status_message String CODEC(ZSTD(1)),
  scope_name LowCardinality(String),
  scope_version LowCardinality(String),
  attributes String CODEC(ZSTD(1)),
  resource String CODEC(ZSTD(1)),
  events String CODEC(ZSTD(1)),
  links String CODEC(ZSTD(1)),
  user String CODEC(ZSTD(1)),
  session String CODEC(ZSTD(1)),
  content String CODEC(ZSTD(1)) TTL content_expires_at,
  content_state LowCardinality(String),
  sample Bool,
  sequence UInt64 CODEC(Delta, ZSTD(1)),
  received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  expires_at DateTime('UTC') CODEC(ZSTD(1)),
  content_expires_at DateTime('UTC') CODEC(ZSTD(1)),
  INDEX by_time started_at TYPE minmax GRANULARITY 1,
  INDEX by_sequence sequence TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(started_at)
ORDER BY (workspace, trace_id, span_id)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE calls (
  workspace LowCardinality(String),
  id String CODEC(ZSTD(1)),
  trace_id String CODEC(ZSTD(1)),
  span_id String CODEC(ZSTD(1)),
  started_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
  duration_ns Int64 CODEC(ZSTD(1)),
  kind LowCardinality(String),
  system LowCardinality(String),
  environment LowCardinality(String),
  route LowCardinality(String),
  agent LowCardinality(String),
  tenant LowCardinality(String),
  user String CODEC(ZSTD(1)),
  session String CODEC(ZSTD(1)),
  release LowCardinality(String),
  feature LowCardinality(String),
  provider LowCardinality(String),
  request_model LowCardinality(String),
  response_model LowCardinality(String),
  operation LowCardinality(String),
  status LowCardinality(String),
  error_class LowCardinality(String),
  error_type LowCardinality(String),
  streaming Nullable(Bool),
  ttft_ms Nullable(Float64),
  input_uncached_tokens Nullable(UInt64),
  input_cache_read_tokens Nullable(UInt64),
  input_cache_write_tokens Nullable(UInt64),
  input_cache_write_5m_tokens Nullable(UInt64),
  input_cache_write_1h_tokens Nullable(UInt64),
  output_tokens Nullable(UInt64),
  reasoning_tokens Nullable(UInt64),
  input_audio_tokens Nullable(UInt64),
  input_image_tokens Nullable(UInt64),
  cache_read_audio_tokens Nullable(UInt64),
  output_audio_tokens Nullable(UInt64),
  output_image_tokens Nullable(UInt64),
  cost_amount Nullable(Decimal(38, 15)),
  cost_currency LowCardinality(String),
  cost_parts String CODEC(ZSTD(1)),
  cost_source LowCardinality(String),
  cost_unknown_reason LowCardinality(String),
  price_id LowCardinality(String),
  price_effective_from Nullable(DateTime64(3, 'UTC')),
  finish_reasons Array(LowCardinality(String)),
  refusal Nullable(Bool),
  response_id String CODEC(ZSTD(1)),
  service_tier LowCardinality(String),
  parameters String CODEC(ZSTD(1)),
  scope LowCardinality(String),
  convention LowCardinality(String),
  provenance String CODEC(ZSTD(1)),
  quality Array(LowCardinality(String)),
  observations Array(String),
  sample Bool,
  version UInt64 CODEC(Delta, ZSTD(1)),
  is_deleted UInt8,
  received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
  expires_at DateTime('UTC') CODEC(ZSTD(1)),
  INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_session session TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_user user TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (workspace, started_at, id, trace_id)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE metric_points (
  workspace LowCardinality(String),
  name LowCardinality(String),
  key UInt128,
  at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
  start_at DateTime64(9, 'UTC') CODEC(ZSTD(1)),
  type LowCardinality(String),
  unit LowCardinality(String),
  temporality LowCardinality(String),
  monotonic Bool,
  system LowCardinality(String),
  environment LowCardinality(String),
  attributes String CODEC(ZSTD(1)),
  resource String CODEC(ZSTD(1)),
  value Nullable(Float64),
  count Nullable(UInt64),
  sum Nullable(Float64),
  min Nullable(Float64),
  max Nullable(Float64),
  bounds Array(Float64),
  bucket_counts Array(UInt64),
  sequence UInt64,
  received_at DateTime64(3, 'UTC'),
  expires_at DateTime('UTC')
) ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(at)
ORDER BY (workspace, name, at, key)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE log_records (
  workspace LowCardinality(String),
  key UInt128,
  at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
  trace_id String CODEC(ZSTD(1)),
  span_id String CODEC(ZSTD(1)),
  event_name LowCardinality(String),
  severity LowCardinality(String),
  system LowCardinality(String),
  environment LowCardinality(String),
  user String CODEC(ZSTD(1)),
  attributes String CODEC(ZSTD(1)),
  resource String CODEC(ZSTD(1)),
  content String CODEC(ZSTD(1)) TTL content_expires_at,
  content_state LowCardinality(String),
  sequence UInt64,
  received_at DateTime64(3, 'UTC'),
  expires_at DateTime('UTC'),
  content_expires_at DateTime('UTC'),
  INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(at)
ORDER BY (workspace, event_name, at, key)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE evaluations (
  workspace LowCardinality(String),
  name LowCardinality(String),
  key UInt128,
  at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
  trace_id String CODEC(ZSTD(1)),
  span_id String CODEC(ZSTD(1)),
  response_id String CODEC(ZSTD(1)),
  score Nullable(Float64),
  label String CODEC(ZSTD(1)),
  explanation String CODEC(ZSTD(1)),
  error_type LowCardinality(String),
  system LowCardinality(String),
  environment LowCardinality(String),
  sequence UInt64,
  received_at DateTime64(3, 'UTC'),
  expires_at DateTime('UTC'),
  INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(at)
ORDER BY (workspace, name, at, key)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
