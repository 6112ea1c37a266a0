CREATE TABLE held_traces (
  workspace LowCardinality(String),
  hold String,
  trace_id String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
ORDER BY (workspace, trace_id, hold)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
