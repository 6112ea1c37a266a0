"""Defects that tests must find: each replaces one piece of the code, and names a test that turns red under it."""

from __future__ import annotations

from dataclasses import dataclass

HTTP = "tests/telemetry/test_ingest_http.py"
SPANS = "tests/telemetry/test_ingest_spans.py"
ONCE = "tests/telemetry/test_counted_once.py"
COMMIT = "tests/telemetry/test_commit.py"
EVENTS = "tests/telemetry/test_ingest_events.py"
DECODERS = "tests/telemetry/test_decoders.py"
DLP = "tests/telemetry/test_dlp.py"
GOVERNANCE = "tests/telemetry/test_governance.py"
OUTBOX = "tests/platform/notify/test_outbox.py"
METRICS = "tests/telemetry/test_metrics.py"
DAY = "tests/scenarios/test_day_recounted.py::test_a_day_equals_its_recount"
ISOLATION = "tests/scenarios/test_isolation.py"


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
        '["uniqExact(trace_id, span_id)"], where',
        '["count()"], where',
        f"{ONCE}::test_random_traces_in_random_company",
    ),
    Defect(
        "a stored bucket answers though calls in it changed",
        "telemetry/reads/metrics.py",
        "at.known.state.closed_ms * 1_000_000, at.changed)",
        "at.known.state.closed_ms * 1_000_000, ())",
        f"{METRICS}::test_an_erased_person_leaves_the_stored_figures",
    ),
    Defect(
        "stored figures of an earlier version are read too",
        "telemetry/store/rollups.py",
        "if any(cuboid == name and start",
        "if any(not cuboid and start",
        f"{METRICS}::test_a_bucket_that_lost_all_its_calls_is_empty",
    ),
    Defect(
        "a call is counted in a window that it only shares a query with",
        "telemetry/store/together.py",
        "if inside is None or row[inside]:",
        "if inside is None or row:",
        f"{METRICS}::test_what_is_asked_together_is_as_if_it_were_asked_alone",
    ),
    Defect(
        "what was read of past hours is taken for true though something in them changed",
        "telemetry/store/rollups.py",
        "end <= made * NS for made in since",
        "True for made in since",
        f"{METRICS}::test_past_days_and_hours_are_read_once_until_something_in_them_changes",
    ),
    Defect(
        "a bucket that was made is not made again though its calls changed",
        "telemetry/jobs/rollups.py",
        "for one in wanted if one + size <= closed)",
        "for one in wanted if before < one + size <= closed)",
        f"{DAY}[chDB and SQLite]",
    ),
    Defect(
        "a prompt is told by its first sentence",
        "telemetry/conventions/configured.py",
        "for part in parts)",
        "for part in parts[:1])",
        "tests/telemetry/test_configurations.py::test_an_edit_makes_another_prompt",
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
        "siblings of two scopes are told apart too quickly",
        "telemetry/rules/merge.py",
        "        if scopes.setdefault(span, call.scope) != call.scope:",
        "        if scopes.setdefault(span, call.scope) is None:",
        "tests/telemetry/test_merge.py::test_what_can_be_told_quickly",
    ),
    Defect(
        "a call that became part of another stays",
        "telemetry/ingest/keeping.py",
        "if now.get(one) != start]",
        "if False and now.get(one) != start]",
        f"{ONCE}::test_a_nested_pair_is_one_call",
    ),
    Defect(
        "a tool call is two steps",
        "telemetry/rules/operations.py",
        "            run.tool_calls += 1\n",
        "            run.tool_calls += 2\n",
        "tests/telemetry/test_operations.py::test_a_run_has_the_steps_that_no_run_within_it_has",
    ),
    Defect(
        "what was told of documents is forgotten with the content",
        "telemetry/conventions/byway.py",
        "        if seen is not None and seen.retrieved != NOTHING:\n",
        "        if False:\n",
        "tests/telemetry/test_operations_counted.py"
        "::test_what_comes_after_a_restart_finds_its_trace_though_no_content_is_kept",
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
        "        if received > limit:",
        "        if received < 0:",
        f"{HTTP}::test_an_oversized_body_is_413",
    ),
    Defect(
        "differing spans of one id in a request are let in",
        "telemetry/rules/admission.py",
        "        if earlier is not span:",
        "        if earlier is None:",
        f"{SPANS}::test_duplicate_ids_in_one_request",
    ),
    Defect(
        "one poisoned span costs the whole request",
        "telemetry/decode/protobuf.py",
        "        return _salvage(body)",
        '        raise Invalid("the body is not OTLP", where="body") from None',
        f"{SPANS}::test_invalid_utf8_costs_only_the_span_that_has_it",
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
        f"{SPANS}::test_many_refused_are_all_counted_and_the_first_few_named",
    ),
    Defect(
        "large attributes are kept without a word",
        "telemetry/rules/admission.py",
        "            result.warnings.append(",
        "            _ = (",
        f"{SPANS}::test_an_attribute_of_10_mb_is_left_out_and_said",
    ),
    Defect(
        "clocks that are off are believed",
        "telemetry/rules/admission.py",
        "    if span.start_ns > limits.now_ns + limits.max_future_ns:",
        "    if span.start_ns > 2**63:",
        f"{SPANS}::test_clocks_that_are_off",
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
        "self._keys.check(bearer(headers), Scope.INGEST)",
        "self._keys.check(bearer(headers), Scope.READ)",
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
    Defect(
        "content is stored unredacted when the company's DLP fails",
        "telemetry/ingest/safeguards.py",
        '                cell.put("", WITHHELD)',
        "                pass",
        f"{DLP}::test_a_failing_webhook_withholds_content",
    ),
    Defect(
        "a DLP answer of another length is taken",
        "telemetry/ingest/dlp.py",
        "if len(made) != len(texts):",
        "if not made:",
        f"{DLP}::test_an_answer_not_as_agreed_withholds_content",
    ),
    Defect(
        "an erased person comes back with a late span",
        "telemetry/ingest/count.py",
        "                self._traces.pop((workspace, trace_id), None)\n",
        "",
        f"{GOVERNANCE}::test_an_erased_person_is_nowhere_and_the_counts_stay",
    ),
    Defect(
        "what is held is erased",
        "telemetry/store/erasing.py",
        "                if columns.rows(workspace, query)[0][0]:\n",
        "                if columns.rows(workspace, query)[0][0] < 0:\n",
        f"{GOVERNANCE}::test_what_is_held_is_neither_erased_nor_expired",
    ),
    Defect(
        "a header opens the command line's own door",
        "platform/access/guard.py",
        "    if request.scope.get(LOCAL) is not True:\n",
        '    if not request.headers.get("x-holdfast-workspace"):\n',
        "tests/commands/test_export.py::test_the_local_door_is_shut_over_tcp",
    ),
    Defect(
        "a backup is restored without looking",
        "backups.py",
        '        if found[name] != listed[name]["sha256"]:\n',
        '        if found[name] != listed[name]["sha256"] and not name:\n',
        "tests/commands/test_backup.py::test_a_tampered_backup_is_refused_by_name",
    ),
    Defect(
        "a query forgets its workspace",
        "storage/columns.py",
        '["workspace = {workspace:String}", *(f"({w})" for w in self.where)]',
        '["true", *(f"({w})" for w in self.where)]',
        f"{ISOLATION}::test_the_marks_are_there_to_be_found",
    ),
    Defect(
        "a trace is shown whole to who may see a part",
        "telemetry/reads/traces.py",
        "stored = [one for one in every if reach.covers(one.system, one.environment)]",
        "stored = every",
        f"{ISOLATION}::test_the_marks_are_there_to_be_found",
    ),
    Defect(
        "text is sought in content that may not be read",
        "telemetry/reads/calls.py",
        "content_pairs=content.pairs if content else ()",
        'content_pairs=(("", ""),)',
        f"{ISOLATION}::test_no_filter_tells_what_is_hidden[viewer]",
    ),
    Defect(
        "any workspace's key can be revoked",
        "platform/access/store/keys.py",
        ".where(api_keys.c.workspace == workspace, api_keys.c.id == key,",
        ".where(api_keys.c.id == key,",
        f"{ISOLATION}::test_a_neighbours_id_is_as_good_as_none[admin key]",
    ),
    Defect(
        "a key answers for whichever workspace is named",
        "platform/access/guard.py",
        "        if slug and slug != found.workspace.slug:\n",
        "        if slug and slug == found.workspace.id:\n",
        f"{ISOLATION}::test_a_neighbours_id_is_as_good_as_none[read key]",
    ),
    Defect(
        "an error tells the name of a workspace",
        "platform/access/guard.py",
        "        if workspace.id not in reachable:\n            raise NotFound(NO_WORKSPACE)\n",
        "        if workspace.id not in reachable:\n            raise NotFound(workspace.name)\n",
        f"{ISOLATION}::test_a_neighbours_id_is_as_good_as_none[admin]",
    ),
    Defect(
        "spans are counted wherever a system or its environment may be seen",
        "telemetry/store/spans.py",
        '    if pairs:\n        clause, more = in_places(pairs, "reach")\n        where',
        '    if False:\n        clause, more = in_places(pairs, "reach")\n        where',
        f"{ISOLATION}::test_counts_are_of_what_may_be_seen",
    ),
    Defect(
        "menus list the systems of others",
        "telemetry/wiring.py",
        " if reach.covers(*place)]",
        "]",
        f"{ISOLATION}::test_reads_show_nothing_hidden[limited]",
    ),
    Defect(
        "an evaluation's explanation needs no permission",
        "telemetry/reads/traces.py",
        '"explanation": row["explanation"] if content else ""',
        '"explanation": row["explanation"]',
        f"{ISOLATION}::test_who_may_not_read_content_reads_none",
    ),
    Defect(
        "a telemetry request chooses its workspace",
        "telemetry/receiver/http.py",
        "await self._intake.accept(workspace, signal,",
        'await self._intake.accept(headers.get("x-scope-orgid", workspace), signal,',
        f"{ISOLATION}::test_telemetry_lands_where_its_key_belongs",
    ),
    Defect(
        "a door does not say how it fails",
        "pricing/api.py",
        ", responses=problems(401, 403, 404, 422, 503))",
        ")",
        "tests/scenarios/test_openapi.py::test_every_operation_says_how_it_fails",
    ),
    Defect(
        "a message that is sent again has another id",
        "platform/notify/senders/webhook.py",
        '"webhook-id": parcel.delivery.id,',
        '"webhook-id": f"{parcel.delivery.id}-{parcel.delivery.attempts}",',
        f"{OUTBOX}::test_failures_are_tried_again_later_and_later",
    ),
    Defect(
        "what a process left behind is never taken up",
        "platform/notify/store.py",
        "deliveries.c.lease_until <= now",
        "sa.false()",
        f"{OUTBOX}::test_a_process_that_ended_leaves_it_to_the_next",
    ),
    Defect(
        "the end of an alert overtakes its beginning",
        "platform/notify/store.py",
        "~overtaken",
        "sa.true()",
        f"{OUTBOX}::test_nobody_hears_of_the_end_first",
    ),
    Defect(
        "a mail server in a private network is reached",
        "platform/notify/senders/email.py",
        "outbound.judged_address(self._settings, config.host, config.port)",
        "config.host",
        "tests/platform/notify/test_senders.py::test_private_addresses_are_not_reached",
    ),
    Defect(
        "no data ends an alert",
        "signals/rules.py",
        "    if reading.state is not State.OK:",
        "    if reading.state is State.FIRING:",
        "tests/signals/test_rules.py::test_no_data_does_not_end_an_alert",
    ),
    Defect(
        "a budget's threshold is told again and again",
        "signals/rules.py",
        "for one in alerts if one.period == period}",
        "for one in alerts if one.period == period and one.closed_at is not None}",
        "tests/signals/test_rules.py::test_a_threshold_is_told_once_a_period",
    ),
    Defect(
        "late figures open an alert",
        "signals/actions.py",
        "memory.evaluated_at >= now",
        "memory.evaluated_at > now + rules.LONGEST_WINDOW",
        "tests/signals/test_evaluation.py::test_figures_that_come_late_change_nothing",
    ),
)
