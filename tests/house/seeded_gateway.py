"""Defects of the gateway that tests must find."""

from __future__ import annotations

from house.seeded import Defect

DOOR = "tests/gateway/test_dialects_at_the_door.py"
BUDGETS = "tests/gateway/test_budgets_at_the_door.py"
CONNECTIONS = "tests/gateway/wire/test_connections.py"
BEDROCK = "tests/gateway/test_bedrock.py"
BATCHES = "tests/gateway/test_batches.py"
PLACEHOLDERS = "tests/gateway/rules/test_placeholders.py"
MISBEHAVING = "tests/gateway/test_misbehaving_upstreams.py"

DEFECTS = (
    Defect(
        "an abandoned generation goes on",
        "gateway/proxy/door.py",
        "        serving.cancel()\n",
        "        return\n",
        f"{MISBEHAVING}::test_a_client_that_leaves_closes_the_upstream_at_once",
    ),
    Defect(
        "a reservation looks at soft budgets alone",
        "gateway/limits/ledger.py",
        "if entry.hard and not entry.lifted:",
        "if not entry.hard and not entry.lifted:",
        f"{BUDGETS}::test_a_hard_budget_is_never_exceeded_by_many_at_once",
    ),
    Defect(
        "what is set aside is for the request as it was asked, not as it goes up",
        "gateway/proxy/exchange.py",
        "return self._foreign or limited or bool(decision.release.parameters) or self._begun is not None",
        "return self._foreign",
        f"{BUDGETS}::test_what_is_set_aside_is_for_the_request_as_it_goes_up",
    ),
    Defect(
        "a budget's window never ends for those who go on asking",
        "gateway/rules/scopes.py",
        "if known is not None and known.since <= now < known.until:",
        "if known is not None:",
        "tests/gateway/rules/test_scopes.py::test_what_applies_is_remembered_no_longer_than_it_holds",
    ),
    Defect(
        "Redis lends to a gateway what others hold",
        "gateway/limits/scripts.py",
        "local remaining = number(cap) - others - mine",
        "local remaining = number(cap) - mine",
        "tests/gateway/test_hard_budget.py::"
        "test_it_holds_through_a_redis_that_is_killed_and_comes_back_and_a_killed_gateway",
    ),
    Defect(
        "what a killed gateway had under way counts at nothing",
        "gateway/proxy/worker.py",
        'record.error, record.estimated, record.cost = "gateway_killed", True, amount',
        'record.error, record.estimated, record.cost = "gateway_killed", True, None',
        f"{BUDGETS}::test_a_killed_process_forgets_neither_spending_nor_what_was_under_way",
    ),
    Defect(
        "a client's key goes upstream",
        "gateway/proxy/headers.py",
        '    "authorization",\n    "x-api-key",\n',
        '    "x-api-key",\n',
        f"{DOOR}::test_anthropic_whole_streamed_and_counted",
    ),
    Defect(
        "a bound system's fallback leaves its region",
        "gateway/rules/resolving.py",
        "if regions is not None and upstream.region not in regions:",
        "if regions is not None and not upstream.region:",
        "tests/gateway/test_routes.py::test_a_bound_system_never_leaves_its_regions",
    ),
    Defect(
        "upstreams inside private networks are reached",
        "gateway/proxy/connecting.py",
        "            outbound.reachable(one, self._allowed) for one in addresses",
        "            outbound.reachable(one, self._allowed) is not None for one in addresses",
        "tests/gateway/test_safe.py::test_private_addresses_are_not_reached",
    ),
    Defect(
        "a model's name is not escaped in a path",
        "gateway/dialects/bedrock.py",
        "quote(model, safe='')",
        "model",
        f"{BEDROCK}::test_an_anthropic_client_is_served_by_bedrock",
    ),
    Defect(
        "a client speaks in the name of AWS",
        "gateway/proxy/signing.py",
        'not name.startswith("x-amz")',
        "name",
        f"{BEDROCK}::test_what_a_client_says_in_the_name_of_aws_does_not_go_up",
    ),
    Defect(
        "a workspace takes the machine's identity",
        "gateway/rules/configured_upstreams.py",
        "    elif not operator:",
        '    elif not operator and not text.startswith("workload:"):',
        "tests/gateway/control/test_configured.py::test_each_fault_has_its_place",
    ),
    Defect(
        "a batch's bound does not outlive its process",
        "gateway/proxy/purse.py",
        "            lasting=True,",
        "            lasting=False,",
        f"{BATCHES}::test_a_batch_outlives_a_kill",
    ),
    Defect(
        "a batch that is settled again is another call",
        "gateway/proxy/batches.py",
        "            if number:\n",
        "            record.span_id = os.urandom(8)\n            if number:\n",
        f"{BATCHES}::test_settled_again_after_a_kill_in_between_it_is_the_same_call_and_costs_once",
    ),
    Defect(
        "lines of a batch are summed over the bands of a price",
        "gateway/rules/batches.py",
        "part.most is not None and",
        "part.most is None and",
        "tests/gateway/rules/test_batches.py::test_parts_cost_what_their_summed_usage_does_and_together_what_the_lines_do",
    ),
    Defect(
        "a retry is made however often it is refused",
        "gateway/rules/pacing.py",
        "        if self._tokens < 1:",
        "        if self._tokens < -1000:",
        f"{MISBEHAVING}::test_retries_never_multiply_an_outage",
    ),
    Defect(
        "bytes behind an answer pass for the next request's",
        "gateway/proxy/wire.py",
        "            self._clean = False  # an answer that nobody asked for",
        "            self._clean = True",
        f"{CONNECTIONS}::test_bytes_that_nobody_asked_for_are_nobodys_answer",
    ),
    Defect(
        "a connection that the upstream has closed gets a request",
        "gateway/proxy/wire.py",
        "and not self._arrivals.poll(0)",
        "and self._arrivals.poll(0) is not None",
        f"{CONNECTIONS}::test_its_end_is_seen_also_where_the_loop_has_not_told_of_it",
    ),
    Defect(
        "half an answer passes for a whole one",
        "gateway/proxy/response.py",
        "return any(name.lower() in (b",
        "return not any(name.lower() in (b",
        "tests/gateway/wire/test_answers.py::test_an_answer_that_breaks_off_is_broken",
    ),
    Defect(
        "a header brings another one",
        "gateway/proxy/asking.py",
        "    if head.count(",
        "    if not head and head.count(",
        "tests/gateway/wire/test_requests.py::test_no_header_brings_another_one",
    ),
    Defect(
        "what was never sent is booked as used",
        "gateway/proxy/exchange.py",
        "            self._unbilled()\n            raise\n",
        "            raise\n",
        "tests/gateway/test_safe.py::test_what_could_not_be_sent_takes_nothing_from_a_budget",
    ),
    Defect(
        "a lift never ends",
        "gateway/model.py",
        "return at < self.until and self.ended_at is None",
        "return self.ended_at is None",
        "tests/gateway/rules/test_scopes.py::test_a_lift_is_over_its_scope_and_value_and_ends_by_the_clock_alone",
    ),
    Defect(
        "a lift is not on the audit log",
        "gateway/actions/lifts.py",
        'action="gateway.lifted", subject',
        'action="gateway.looked", subject',
        "tests/gateway/control/test_lifts.py::test_a_lift_reaches_gateways_with_who_answers_for_it",
    ),
    Defect(
        "a crossed budget is told each time",
        "gateway/actions/budgets.py",
        '    text = "\\0".join((kind, told.workspace, told.budget, told.value, told.window))',
        '    text = "\\0".join((kind, told.workspace, told.budget, told.value, str(told.spent)))',
        "tests/gateway/control/test_budgets_told.py::test_it_is_told_once_however_often_and_by_however_many",
    ),
    Defect(
        "a pass of the core is taken unsigned",
        "gateway/keys.py",
        "        Ed25519PublicKey.from_public_bytes(public).verify(raw[:64], _PASS + raw[64:])\n",
        "",
        "tests/gateway/control/test_keys_and_trials.py::test_a_pass_is_the_cores_own_and_ends",
    ),
    Defect(
        "a gateway's failed call is another than the application's, which knows the model by an alias",
        "telemetry/rules/naming.py",
        "facts.response_model, facts.asked_model)",
        "facts.response_model)",
        "tests/telemetry/test_merge.py",
    ),
    Defect(
        "a try that timed out may have cost something, and its record does not say so",
        "gateway/proxy/call.py",
        "        record.cost, record.estimated = failed.cost, failed.cost is not None\n",
        "",
        f"{BUDGETS}::test_tries_that_may_have_been_billed_are_in_the_record_as_in_the_account",
    ),
    Defect(
        "an answer from the cache is paid for again, because the application read its usage",
        "telemetry/rules/combine.py",
        "            entry[1].cache_hit is True,\n",
        "",
        "tests/telemetry/test_merge.py",
    ),
    Defect(
        "through a proxy, upstreams inside private networks are reached",
        "gateway/proxy/connecting.py",
        "return origin.host if name in self._allowed.hosts else",
        "return origin.host if name else",
        "tests/gateway/test_addresses.py::test_a_proxy_inside_is_used_and_asked_for_the_judged_address",
    ),
    Defect(
        "an upstream's credential is in the record of a call",
        "gateway/proxy/exchange.py",
        "        self._take()\n        reply.tries += 1\n",
        "        self._take()\n        reply.record.region = str(credential)\n        reply.tries += 1\n",
        "tests/gateway/test_canary.py::test_a_planted_credential_comes_out_nowhere",
    ),
    Defect(
        "braces that mean nothing are applied",
        "gateway/rules/configured_releases.py",
        "                if said:\n                    yield Fault(at,",
        "                if said and not strays:\n                    yield Fault(at,",
        f"{PLACEHOLDERS}::test_what_else_braces_begin_is_refused_with_its_position",
    ),
    Defect(
        "what a value holds is rendered",
        "gateway/rules/rendering.py",
        "    if isinstance(value, str):\n        return value\n",
        "    if isinstance(value, str):\n"
        "        return PLACEHOLDER.sub(lambda found: str(values.get(found[1], '')), value)\n",
        "tests/gateway/rules/test_rendering.py::test_a_value_is_never_rendered_again",
    ),
    Defect(
        "all values are put in place before their length is looked at",
        "gateway/rules/rendering.py",
        "    room[0] -= len(text)\n",
        "    room[0] -= 1\n",
        "tests/gateway/rules/test_rendering.py::test_the_longest_prompt_is_what_it_says_to_the_character",
    ),
)
