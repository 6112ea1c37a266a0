"""Defects that tests must find: each replaces one piece of the code, and names a test that turns red under it."""

from __future__ import annotations

from dataclasses import dataclass

HTTP = "tests/telemetry/test_ingest_http.py"
ONCE = "tests/telemetry/test_counted_once.py"
COMMIT = "tests/telemetry/test_commit.py"
EVENTS = "tests/telemetry/test_ingest_events.py"
DECODERS = "tests/telemetry/test_decoders.py"


@dataclass(frozen=True)
class Defect:
    """`old` stands exactly once in `file` (under src/holdfast) and becomes `new`; then `test` fails."""

    name: str
    file: str
    old: str
    new: str
    test: str


DEFECTS = (
    Defect(
        "the answer goes out before the commit",
        "telemetry/ingest/commit.py",
        "            self._wake.notify()\n        return future",
        "            self._wake.notify()\n        early: Future[list[Rejected]] = Future()\n"
        "        early.set_result([])\n        return early",
        f"{COMMIT}::test_answers_come_after_the_store_returned",
    ),
    Defect(
        "spans are not synced to disk",
        "storage/migrations/columns/0001_telemetry.sql",
        "ORDER BY (workspace, trace_id, span_id)\nTTL expires_at\n"
        "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;",
        "ORDER BY (workspace, trace_id, span_id)\nTTL expires_at;",
        "tests/scenarios/test_fsync.py",
    ),
    Defect(
        "a failed commit is acknowledged",
        "telemetry/ingest/commit.py",
        "        future.set_exception(failure)",
        "        future.set_result([])",
        f"{COMMIT}::test_a_store_that_fails_is_unavailable_and_nothing_is_counted",
    ),
    Defect(
        "spans are counted as often as they came",
        "telemetry/store/spans.py",
        "uniqExact(trace_id, span_id)",
        "count()",
        f"{ONCE}::test_random_traces_in_random_company",
    ),
    Defect(
        "calls are counted without deduplication",
        "storage/columns.py",
        "' FINAL' if self.final else ''",
        "''",
        f"{ONCE}::test_a_nested_pair_is_one_call",
    ),
    Defect(
        "nested observations are not merged",
        "telemetry/rules/merge.py",
        "    edges.sort(key=lambda edge: edge[0])",
        "    edges.clear()",
        f"{ONCE}::test_a_nested_pair_is_one_call",
    ),
    Defect(
        "a call that became part of another stays",
        "telemetry/ingest/count.py",
        "if starts.get(call_id) != start_ns",
        "if False and starts.get(call_id) != start_ns",
        f"{ONCE}::test_a_nested_pair_is_one_call",
    ),
    Defect(
        "what a crash left uncounted stays uncounted",
        "telemetry/ingest/count.py",
        "        for start in range(0, len(uncounted), 2000):",
        "        for start in range(0, 0, 2000):",
        f"{ONCE}::test_the_span_between_that_comes_last_and_then_a_kill",
    ),
    Defect(
        "unpacked bodies have no limit",
        "telemetry/receiver/http.py",
        "            size += len(part)\n            if size > limit:",
        "            size += len(part)\n            if size < 0:",
        f"{HTTP}::test_a_gzip_bomb_is_413",
    ),
    Defect(
        "bodies have no limit",
        "telemetry/receiver/http.py",
        "    if size > limit:\n        raise too_large(limit)\n    return size",
        "    return min(size, limit)",
        f"{HTTP}::test_an_oversized_body_is_413",
    ),
    Defect(
        "differing spans of one id in a request are let in",
        "telemetry/rules/admission.py",
        "        if earlier is not span:",
        "        if earlier is None:",
        f"{HTTP}::test_duplicate_ids_in_one_request",
    ),
    Defect(
        "one poisoned span costs the whole request",
        "telemetry/decode/protobuf.py",
        "        return _salvage(body)",
        '        raise Invalid("the body is not OTLP", where="body") from None',
        f"{HTTP}::test_invalid_utf8_costs_only_the_span_that_has_it",
    ),
    Defect(
        "a query forgets its workspace",
        "storage/columns.py",
        '["workspace = {workspace:String}", *',
        "[\"{workspace:String} != ''\", *",
        f"{HTTP}::test_one_workspace_never_sees_what_another_sent",
    ),
    Defect(
        "partial success tells the wrong number",
        "telemetry/ingest/intake.py",
        "return Outcome(len(rejected),",
        "return Outcome(min(len(rejected), MOST_NAMED),",
        f"{HTTP}::test_many_refused_are_all_counted_and_the_first_few_named",
    ),
    Defect(
        "large attributes are kept without a word",
        "telemetry/rules/admission.py",
        "            result.warnings.append(",
        "            _ = (",
        f"{HTTP}::test_an_attribute_of_10_mb_is_left_out_and_said",
    ),
    Defect(
        "clocks that are off are believed",
        "telemetry/rules/admission.py",
        "    if span.start_ns > limits.now_ns + limits.max_future_ns:",
        "    if span.start_ns > 2**63:",
        f"{HTTP}::test_clocks_that_are_off",
    ),
    Defect(
        "a malformed resource is our fault",
        "telemetry/decode/json.py",
        '        raise Invalid(f"a resource does not',
        '        raise Unreadable(f"a resource does not',
        f"{HTTP}::test_a_malformed_resource_in_json_is_400",
    ),
    Defect(
        "a sender that leaves can take back what is queued",
        "telemetry/ingest/commit.py",
        "            future.set_running_or_notify_cancel()",
        "            pass",
        f"{COMMIT}::test_a_sender_that_leaves_does_not_stop_the_others",
    ),
    Defect(
        "the queue has no bound",
        "telemetry/ingest/commit.py",
        "if self._reserved and self._reserved + size > self._queue_bytes:",
        "if self._reserved < 0:",
        f"{COMMIT}::test_room_is_bounded_and_given_back",
    ),
    Defect(
        "the disk's watermark is not heeded",
        "telemetry/ingest/commit.py",
        "if self._disk_free < self._min_free_bytes:",
        "if self._disk_free < 0:",
        f"{COMMIT}::test_the_disk_watermark",
    ),
    Defect(
        "keys of any scope may send",
        "telemetry/receiver/http.py",
        "key = self._keys.check(bearer(headers), Scope.INGEST)",
        "key = self._keys.check(bearer(headers), Scope.READ)",
        f"{HTTP}::test_keys",
    ),
    Defect(
        "gRPC does not say when to come back",
        "telemetry/receiver/grpc.py",
        "        context.set_trailing_metadata(",
        "        _ = (",
        f"{EVENTS}::test_grpc_says_when_to_come_back",
    ),
    Defect(
        "a value of another kind breaks the JSON decoder",
        "telemetry/decode/json.py",
        "MISSHAPEN = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError)",
        "MISSHAPEN = (ValueError, LookupError)",
        f"{DECODERS}::test_json_with_a_part_replaced",
    ),
)
