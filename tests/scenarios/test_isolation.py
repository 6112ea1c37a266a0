"""No byte of one workspace reaches another: every route, with every credential, against a neighbour's marks.

The matrix is made from the routes of the application as it is put together. See `routes.py` for what a new route
must say of itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from tests.scenarios.asking import Ask, asks
from tests.scenarios.neighbours import (
    CONTENT,
    MINE,
    OTHER,
    PASSWORD,
    SAID,
    SAID_OTHER,
    SAID_THEIRS,
    THEIRS,
    Credential,
    Place,
    World,
    furnish,
)
from tests.scenarios.routes import (
    EVERY_PAGE,
    IDS,
    LOCAL,
    OPEN,
    PLAIN_QUERY,
    Operation,
    application,
    choices,
    operations,
    otlp_paths,
    unknown_parts,
)
from tests.scenarios.seen import another, comparable, marks_in

from holdfast.platform.audit import reads as audit
from holdfast.telemetry.store import past
from otlp_made import body, span
from running_core import CoreProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OPERATIONS = operations(application())
SERVED = [one for one in OPERATIONS if not one.path.startswith(LOCAL)]
READS = [one for one in SERVED if one.method == "GET"]
WRITES = [one for one in SERVED if one.method != "GET"]
CREDENTIALS = (
    "ingest key",
    "gateway key",
    "read key",
    "content key",
    "operate key",
    "admin key",
    "full key",
    "admin",
    "full admin",
    "viewer",
    "limited",
    "limited reader",
    "half reader",
)
OF_EVERY_WORKSPACE = {"GET /api/v1/workspaces"}
"""Operations that answer for all workspaces of their caller, whichever one is named."""
CURIOUS = ("full key", "viewer", "limited", "limited reader", "half reader")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    core = CoreProcess(tmp_path_factory.mktemp("neighbours") / "data", min_free_bytes=1, log_level="debug")
    core.start()
    made = furnish(core)
    yield made
    made.database.close()
    core.stop()


def sides(world: World, credential: Credential) -> tuple[Place, Place]:
    """One's own place, and the other's."""
    mine, theirs = world.places["mine"], world.places["theirs"]
    return (mine, theirs) if credential.place == "mine" else (theirs, mine)


def test_every_route_is_known() -> None:
    """A route that the matrix cannot fill must be added to it."""
    known = set(EVERY_PAGE) | {"model", "text", "workspace", "after", "kind", "status", "operation", "scope"}
    known |= {"system", "environment", "route", "agent", "tenant", "user", "session", "release", "feature"}
    known |= {"provider", "request_model", "response_model", "error_class", "error_type", "price_id"}
    known |= {"response_id", "trace_id", "convention", "service_tier", "cost_source", "cost_unknown_reason"}
    known |= {"finish_reason", "quality", "channel", "tested", "tool", "data_source", "category"}
    faults = {one.title: unknown_parts(one, known) for one in OPERATIONS}
    told = "\n".join(f"{title}: {', '.join(parts)}" for title, parts in faults.items() if parts)
    assert not told, (
        f"say in tests/scenarios/routes.py (and neighbours.py) what these are filled with:\n{told}"
    )


def test_the_schema_and_the_routes_agree(world: World) -> None:
    """What the process publishes is what is looked into here."""
    client, _ = world.client(None)
    with client:
        paths = client.get("/api/openapi.json").json()["paths"]
    published = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    here = {(one.method, one.path.replace(":path}", "}")) for one in OPERATIONS}
    assert published <= here, published - here
    assert {one for one in here if one[1].startswith("/api/v1")} <= published


def test_without_credentials_there_is_nothing(world: World) -> None:
    """Nobody, a key that never was, and a session that never was get 401, or the way to sign in."""
    place = world.places["mine"]
    ways: list[dict[str, str]] = [
        {},
        {"authorization": "Bearer hf_" + "a" * 39},
        {"authorization": "Bearer"},
        {"x-holdfast-key": "hf_nothing"},
        {"cookie": "holdfast_session=" + "A" * 43},
        {"x-holdfast-workspace": place.slug, "x-forwarded-for": "127.0.0.1"},
    ]
    client, _ = world.client(None)
    with client:
        for operation in SERVED:
            for ask in asks(world, operation, place, "no-token"):
                for headers in ways:
                    answer = ask.by(client, **headers)
                    told = f"{operation.title} with {headers}: {answer.status_code} {answer.text[:200]}"
                    if (operation.method, operation.path) in OPEN:
                        assert answer.status_code < 500, told
                    elif answer.status_code == 303:
                        assert operation.is_page, told
                        assert answer.headers["location"].startswith("/sign-in?next="), told
                    else:
                        assert answer.status_code == 401, told
                    marks = (MINE, OTHER, SAID, THEIRS)
                    assert not marks_in(answer, marks, ask.sent), told
        for path in otlp_paths():
            for headers in ways:
                answer = client.post(path, json={"resourceSpans": []}, headers=headers)
                assert answer.status_code == 401, f"{path} with {headers}: {answer.status_code}"


def test_no_method_breaks_a_route(world: World) -> None:
    """Methods that a path does not have are refused, whoever asks, and say nothing."""
    credential = world.credentials["full key"]
    mine, _ = sides(world, credential)
    declared = {(one.method, one.path) for one in OPERATIONS}
    client, csrf = world.client(credential)
    with client:
        for operation in SERVED:
            ask = next(asks(world, operation, mine, csrf))
            for method in METHODS:
                if (method, operation.path) in declared or method == "HEAD":
                    continue
                answer = Ask(method, ask.path).by(client)
                assert answer.status_code in (401, 404, 405), f"{method} {ask.path}: {answer.status_code}"


@pytest.mark.rotating(3)
@pytest.mark.parametrize("name", [*CREDENTIALS, "their key", "their admin"])
def test_reads_show_nothing_hidden(world: World, name: str) -> None:
    """Every reading route, with one's own ids: never a mark that this credential must not see."""
    credential = world.credentials[name]
    own, _ = sides(world, credential)
    seen = 0
    client, csrf = world.client(credential)
    with client:
        for operation in READS:
            wanted: list[dict[str, str]] = [{}]
            if "trace_id" in operation.path_names:
                wanted += [{"path_trace_id": own.values["same trace"]}]
                wanted += [{"path_trace_id": own.values["other trace"]}] if credential.place == "mine" else []
                if operation.is_page:
                    spans = ("conversation", "tokens", "facts", "attributes", "events")
                    wanted += [{"query_tab": tab, "query_span": own.values["span"]} for tab in spans]
            for instead in wanted:
                for ask in asks(world, operation, own, csrf, **instead):
                    answer = ask.by(client)
                    told = f"{ask.method} {ask.path} {ask.query} as {name}: {answer.status_code}"
                    assert answer.status_code < 500, f"{told} {answer.text[:500]}"
                    assert not (found := marks_in(answer, credential.hidden, ask.sent)), (
                        f"{told} shows {found}"
                    )
                    seen += answer.status_code == 200 and bool(marks_in(answer, [own.mark]))
    if credential.scopes & {"read"} and credential.whole:
        assert seen >= 12, (
            f"{name} saw its own mark on {seen} answers only: the marks are not where they should be"
        )


def test_the_marks_are_there_to_be_found(world: World) -> None:
    """What the matrix looks for, it can see: in each format, by those who may."""
    client, _ = world.client(world.credentials["full key"])
    mine = world.places["mine"]
    with client:
        for kind in ("csv", "jsonl", "parquet"):
            answer = client.get("/api/v1/calls/export", params={"format": kind})
            assert marks_in(answer, (MINE, OTHER, THEIRS)) == [MINE, OTHER], kind
        trace = client.get(f"/api/v1/traces/{mine.ids['trace_id']}")
        assert marks_in(trace, (SAID, SAID_OTHER, SAID_THEIRS)) == [SAID, SAID_OTHER]
        assert {one["explanation"] != "" for one in trace.json()["evaluations"]} == {True}
        assert len(trace.json()["evaluations"]) == 2
        found = client.get("/api/v1/calls", params={"text": SAID_OTHER}).json()["calls"]
        assert {call["system"] for call in found} == {f"other-{OTHER}"}
    limited, _ = world.client(world.credentials["limited reader"])
    with limited:
        trace = limited.get(f"/api/v1/traces/{mine.ids['trace_id']}")
        assert marks_in(trace, (SAID, SAID_OTHER)) == [SAID]
        assert len(trace.json()["evaluations"]) == 1


def tried(operation: Operation, other: Place) -> Iterator[tuple[str, str]]:
    """Where an operation takes an id, and the neighbour's id for it."""
    for name, kind in operation.path_names.items():
        if name in IDS and choices(kind) is None:
            assert other.ids.get(name), (
                f"{operation.title}: the neighbour has no {name}; make one in neighbours.py"
            )
            yield f"path_{name}", other.ids[name]
    named = "workspace" in operation.path_names or operation.title in OF_EVERY_WORKSPACE
    if not operation.is_page and not named:
        yield "query_workspace", other.slug


@pytest.mark.rotating(3)
@pytest.mark.parametrize("name", [*CREDENTIALS, "their key", "their admin"])
def test_a_neighbours_id_is_as_good_as_none(world: World, name: str) -> None:
    """Each id of the neighbour, in each place for it, in each method: the answer is that for an id that never was.

    What it asks for is not done: the neighbour's state is the same before and after.
    """
    credential = world.credentials[name]
    own, other = sides(world, credential)
    before = world.rows_of(other)
    assert len(before["audit_entries"]) > 5
    for operation in SERVED:
        if (operation.method, operation.path) in OPEN:
            continue
        for where, foreign in tried(operation, other):
            answers = []
            for value in (foreign, another(foreign)):
                client, csrf = world.client(credential)
                with client:
                    ask = next(asks(world, operation, own, csrf, **{where: value}))
                    answer = ask.by(client)
                told = (
                    f"{operation.title}, {where}={value} as {name}: {answer.status_code} {answer.text[:300]}"
                )
                assert answer.status_code in (401, 403, 404), told
                assert not marks_in(answer, credential.hidden, ask.sent), told
                answers.append(comparable(answer, [value]))
                if name in ("full key", "full admin", "their key", "their admin"):
                    assert answer.status_code == 404, told
            assert answers[0] == answers[1], f"{operation.title}: {where} tells that it exists: {answers}"
    assert world.rows_of(other) == before


@pytest.mark.rotating(3)
@pytest.mark.parametrize("name", ["full key", "full admin", "their key"])
def test_what_is_written_stays_at_home(world: World, name: str) -> None:
    """Bodies that name the neighbour's systems, environments and users change one's own workspace alone."""
    credential = world.credentials[name]
    own, other = sides(world, credential)
    told_before = world.telemetry_of(other)
    before = world.rows_of(other)
    done = 0
    for operation in WRITES:
        if (operation.method, operation.path) in OPEN:
            continue
        for field in ("system", "environment", "user", "subject"):
            if field not in operation.body | operation.query:
                continue
            foreign = (
                other.values["user"] if field == "subject" else other.unmarked.get(field, "user-of-nobody")
            )
            where = "body" if field in operation.body else "query"
            answers = []
            for value in (foreign, another(foreign)):
                client, csrf = world.client(credential)
                until(lambda: no_job_of_the_past(world), 60, "the end of what was asked for before")
                with client:
                    ask = next(asks(world, operation, own, csrf, **{f"{where}_{field}": value}))
                    answer = ask.by(client)
                told = (
                    f"{operation.title}, {field}={value} as {name}: {answer.status_code} {answer.text[:300]}"
                )
                assert answer.status_code < 500, told
                assert not marks_in(answer, credential.hidden, [*ask.sent, value]), told
                answers.append((answer.status_code, sorted(answer.json()) if answer.text[:1] == "{" else ""))
                done += answer.status_code < 400
            assert answers[0] == answers[1], f"{operation.title}: {field} tells that it exists: {answers}"
    assert done >= 2, "no body was taken: the values in routes.py do not fit any more"
    assert world.rows_of(other) == before
    assert world.telemetry_of(other) == told_before


def no_job_of_the_past(world: World) -> bool:
    """Whether none is under way: there is one at a time, and a second is refused."""
    with world.database.reading() as tx:
        return past.unfinished(tx) is None


def secrets_for(world: World, credential: Credential, parameter: str) -> list[str]:
    """Values of a query parameter that stand for something hidden from a credential."""
    own, other = sides(world, credential)
    if parameter in ("text", "q"):
        return [*credential.hidden, other.ids["trace_id"], other.values["session"]]
    found = [other.values[parameter]] if parameter in other.values else []
    found = [
        one
        for one in found
        if other.mark in one or parameter in ("trace_id", "span", "cursor", "price_id", "channel")
    ]
    if OTHER in credential.hidden and parameter in own.values and MINE in own.values[parameter]:
        found.append(
            own.values[parameter].replace("shop-", "other-").replace("prod-", "stage-").replace(MINE, OTHER)
        )
    return found


@pytest.mark.rotating(5)
@pytest.mark.parametrize("name", CURIOUS)
def test_no_filter_tells_what_is_hidden(world: World, name: str) -> None:
    """Searching, filtering, counting or exporting by what is hidden answers as for what never was."""
    credential = world.credentials[name]
    own, _ = sides(world, credential)
    until(lambda: no_job_of_the_past(world), 120, "the end of what other tests asked for")
    tries = 0
    client, csrf = world.client(credential)
    with client:
        for operation in READS:
            parameters = [
                one for one in operation.query if one not in PLAIN_QUERY | {"name", "workspace", "what"}
            ]
            if operation.is_page and "workspace" in operation.path_names:
                parameters = list(EVERY_PAGE)
            if operation.path.endswith(("/export", "/facets")) and name not in ("full key", "limited reader"):
                parameters = [one for one in parameters if one in ("text", "q", "system", "user")]
            for parameter in parameters:
                for value in secrets_for(world, credential, parameter):
                    for _ in range(3):  # what comes with time alone differs once, what tells differs always
                        answers = []
                        for text in (value, another(value) if parameter != "cursor" else value):
                            ask = next(asks(world, operation, own, csrf, **{f"query_{parameter}": text}))
                            answer = ask.by(client)
                            told = f"{ask.path} {parameter}={text} as {name}: {answer.status_code}"
                            assert answer.status_code < 500, f"{told} {answer.text[:300]}"
                            assert not marks_in(answer, credential.hidden, [*ask.sent, text]), told
                            answers.append(comparable(answer, [text]))
                        if answers[0] == answers[1]:
                            break
                    tries += 1
                    assert answers[0] == answers[1], (
                        f"{operation.title}: {parameter} tells of {value} to {name}"
                    )
    assert tries > 60


def test_counts_are_of_what_may_be_seen(world: World) -> None:
    """Calls and spans of the other system are not in the figures of who may not see it."""
    counted = {}
    for name in ("viewer", "limited", "limited reader", "crossed", "full key", "their key"):
        client, _ = world.client(world.credentials[name])
        with client:
            found = client.get("/api/v1/calls/count").json()
        counted[name] = (found["calls"], found["spans"])
    assert counted["full key"] == counted["viewer"] == (4, 20)
    assert counted["limited"] == counted["limited reader"] == (2, 10)
    assert counted["crossed"] == (0, 0)  # each system where the other one runs: nothing is in both
    assert counted["their key"] == (2, 10)


def test_who_may_not_read_content_reads_none(world: World) -> None:
    """Nothing that was said shows on any reading route of a credential without the permission, nor by search."""
    for name, credential in world.credentials.items():
        if CONTENT in credential.scopes:
            continue
        client, _ = world.client(credential)
        with client:
            trace = client.get(f"/api/v1/traces/{world.places['mine'].ids['trace_id']}")
            if trace.status_code != 200:
                continue
            shown = trace.json()
            assert {one["content"] for one in shown["spans"]} == {None}, name
            assert {one["content_state"] for one in shown["spans"]} <= {"denied", "none"}, name
            assert {one["explanation"] for one in shown["evaluations"]} == {""}, name


def test_telemetry_lands_where_its_key_belongs(world: World) -> None:
    """Nothing in a request to the OTLP doors, HTTP or gRPC, moves it into another workspace."""
    theirs = world.places["theirs"]
    before = world.telemetry_of(theirs)
    resource = {
        "service.name": f"shop-{THEIRS}",
        "deployment.environment.name": f"prod-{THEIRS}",
        "holdfast.workspace": theirs.slug,
        "workspace": theirs.id,
        "holdfast.workspace.id": theirs.id,
    }
    sent = body([span(theirs.ids["trace_id"], theirs.values["span"])], resource=resource)
    key = world.credentials["ingest key"].key
    claims = {
        "x-holdfast-workspace": theirs.slug,
        "x-scope-orgid": theirs.id,
        "x-tenant": theirs.slug,
        "content-type": "application/x-protobuf",
    }
    answer = world.core.client.post(
        f"/v1/traces?workspace={theirs.slug}",
        content=sent,
        headers={"authorization": f"Bearer {key}", **claims},
    )
    assert answer.status_code == 200
    assert not marks_in(answer, (THEIRS,))
    with grpc.insecure_channel(f"127.0.0.1:{world.core.grpc_port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        metadata = (("authorization", f"Bearer {key}"), ("x-holdfast-workspace", theirs.slug))
        assert export(sent, metadata=metadata, timeout=20) == b""
        with pytest.raises(grpc.RpcError):
            export(sent, metadata=(("x-holdfast-workspace", theirs.slug),), timeout=20)
    assert world.telemetry_of(theirs) == before
    read = world.credentials["read key"].key
    answer = world.core.client.get(
        "/api/v1/calls",
        params={"trace_id": theirs.ids["trace_id"]},
        headers={"authorization": f"Bearer {read}"},
    )
    assert [call["system"] for call in answer.json()["calls"]] == [f"shop-{THEIRS}"]  # one's own, so named


def test_the_machines_own_door_is_not_on_the_network(world: World) -> None:
    """What the command line may do through the data folder's socket, nobody may over TCP, whatever they claim."""
    local = [one for one in OPERATIONS if one.path.startswith(LOCAL)]
    assert local
    claims = [
        {},
        {"host": "core"},
        {"x-holdfast-workspace": world.places["theirs"].slug, "host": "core"},
        {"holdfast.local": "true", "x-forwarded-for": "127.0.0.1", "forwarded": "for=unix:"},
        {"authorization": f"Bearer {world.credentials['full key'].key}", "x-holdfast-workspace": "instance"},
    ]
    for headers in claims:
        for operation in local:
            answer = world.core.client.request(operation.method, operation.path, headers=headers)
            assert answer.status_code == 404, f"{operation.title} with {headers}: {answer.status_code}"
        if "authorization" not in headers:
            answer = world.core.client.get("/api/v1/calls", headers=headers)
            assert answer.status_code == 401, f"{headers}: {answer.status_code}"
    assert (world.core.data / "core.sock").stat().st_mode & 0o777 == 0o600


def test_proofs_of_one_log_tell_nothing_of_the_other(world: World) -> None:
    """The audit trees are apart: entries, proofs and checkpoints of one hold no mark, id or size of the other."""
    mine, theirs = world.places["mine"], world.places["theirs"]
    until(lambda: _signed(world, mine) and _signed(world, theirs), 30, "a checkpoint of each log")
    with world.database.reading() as tx:
        ctx = world.context(mine.id)
        page = audit.entries(ctx, tx, limit=1000)
        point = audit.latest_checkpoint(ctx, tx)
        assert point is not None
        proofs = [audit.proof_text(ctx, tx, one.index) for one in page.items if one.index < point.size]
        lines = list(audit.export_lines(ctx, tx))
        other = audit.entries(world.context(theirs.id), tx, limit=1000)
    assert [one.index for one in page.items] == list(range(len(page.items)))[::-1]
    assert len(other.items) != len(page.items)
    for text in (*proofs, *lines, point.note):
        for secret in (THEIRS, theirs.id, theirs.ids["key"], theirs.ids["member"], SAID_THEIRS):
            assert secret not in text


def _signed(world: World, place: Place) -> bool:
    with world.database.reading() as tx:
        return audit.latest_checkpoint(world.context(place.id), tx) is not None


def test_the_log_of_the_process_holds_no_secret(world: World) -> None:
    """At the most talkative level: no key, session, CSRF token, nor anything that was said."""
    log = world.core.log.read_text()
    for secret in (*world.secrets, SAID, SAID_OTHER, SAID_THEIRS, PASSWORD):
        assert secret not in log
