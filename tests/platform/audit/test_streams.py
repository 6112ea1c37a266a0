"""Streams: everything arrives, in order, at least once, whatever befalls the receiver; nothing waits."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.platform.audit.receivers import make_certificate, otlp_receiver, syslog_receiver

from holdfast.kernel.errors import Invalid
from holdfast.platform.audit import actions, jobs, reads
from holdfast.platform.audit.model import StreamConfig
from holdfast.platform.audit.streams.shelf import open_stream, read_configs
from holdfast.platform.audit.streams.syslog import MAX_MESSAGE
from stand import free_port

if TYPE_CHECKING:
    from holdfast.platform.audit.jobs import AuditJob

    from .conftest import Log

FRAME = re.compile(rb"<(\d+)>1 (\S+) (\S+) holdfast - (\S+) - (\{.*\})", re.DOTALL)


def file_config(path: Path) -> StreamConfig:
    return StreamConfig("file", "file", path=str(path))


def indexes(lines: list[str], workspace: str = "ws_test") -> list[int]:
    items = [json.loads(line) for line in lines]
    return [item["index"] for item in items if item["kind"] == "entry" and item["workspace"] == workspace]


def verified(log: Log, lines: list[str]) -> tuple[bool, int]:
    report = reads.verify_export(lines, [log.signer.verifier.vkey])
    return report.ok, report.signed


def failing(job: AuditJob) -> str | None:
    return job.states[0].error


def test_a_file_receives_entries_and_checkpoints_that_verify(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    job = log.job(open_stream(file_config(path)))
    log.add(4)
    log.add(2, "ws_other")
    job.run_once()
    log.add(1)
    job.run_once()
    job.run_once()
    lines = path.read_text().splitlines()
    assert indexes(lines) == [0, 1, 2, 3, 4]
    assert len(lines) == 7 + 3
    assert verified(log, lines) == (True, 7)
    assert path.stat().st_mode & 0o777 == 0o600
    sizes = [json.loads(line).get("note", "").split("\n")[1:2] for line in lines]
    assert sizes.index(["4"]) > [json.loads(line).get("index") for line in lines].index(3)


def test_a_line_that_a_crash_tore_is_cut_off_and_sent_again(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    job = log.job(open_stream(file_config(path)))
    log.add(3)
    job.run_once()
    with path.open("a") as file:
        file.write('{"kind":"entry","workspace":"ws_te')
    log.add(1)
    job.run_once()
    assert verified(log, path.read_text().splitlines()) == (True, 4)


def test_a_file_without_any_whole_line_is_begun_anew(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text("x" * 200_000)
    log.add(1)
    log.job(open_stream(file_config(path))).run_once()
    assert verified(log, path.read_text().splitlines()) == (True, 1)


def test_a_delivery_that_is_not_remembered_is_repeated_and_still_verifies(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    stream = open_stream(file_config(path))
    log.add(3)
    with log.database.reading() as tx:
        delivery = actions.next_delivery(tx, "file", 100)
    assert delivery is not None
    stream.send(delivery.items)  # and the process dies before the place is kept
    log.job(stream).run_once()
    lines = path.read_text().splitlines()
    assert indexes(lines) == [0, 1, 2, 0, 1, 2]
    assert verified(log, lines) == (True, 3)


def test_an_erasure_after_shipping_leaves_the_file_valid(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    job = log.job(open_stream(file_config(path)))
    log.add(3)
    job.run_once()
    with log.database.transaction() as tx:
        actions.erase(log.ctx(), tx, 1)
    job.run_once()
    assert verified(log, path.read_text().splitlines()) == (True, 4)


def test_a_shipped_file_shows_a_store_that_was_rewound(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    job = log.job(open_stream(file_config(path)))
    log.add(3)
    job.run_once()
    lines = path.read_text().splitlines()
    changed = [line.replace("key:1", "key:7") for line in lines]
    report = reads.verify_export(changed, [log.signer.verifier.vkey])
    assert [problem.place for problem in report.problems] == ["workspace ws_test, entry 1"]


def test_more_than_a_batch_arrives_whole(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 7)
    path = tmp_path / "audit.jsonl"
    with log.database.transaction() as tx:
        for number in range(30):
            actions.record(log.ctx(), tx, action="a", subject=str(number))
            actions.record(log.ctx("ws_other"), tx, action="a", subject=str(number))
    log.job(open_stream(file_config(path))).run_once()
    lines = path.read_text().splitlines()
    assert indexes(lines) == indexes(lines, "ws_other") == list(range(30))
    seen = {"ws_test": 0, "ws_other": 0}
    for item in map(json.loads, lines):
        if item["kind"] == "entry":
            seen[item["workspace"]] = item["index"] + 1
        else:  # a checkpoint never comes before an entry that it covers
            assert int(item["note"].split("\n")[1]) <= seen[item["workspace"]]
    assert verified(log, lines) == (True, 60)


def test_syslog_frames_are_rfc_5424_and_carry_the_whole_entry(log: Log, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "siem")
    with syslog_receiver(certificate) as receiver:
        config = StreamConfig("syslog", "syslog", host="127.0.0.1", port=receiver.port, ca=certificate[0])
        job = log.job(open_stream(config))
        log.add(2)
        with log.database.transaction() as tx:
            actions.record(log.ctx(), tx, action="sign in\nrefused", subject="x\n<0>", outcome="denied")
        job.run_once()
        assert failing(job) is None
    parts = [FRAME.fullmatch(message) for message in receiver.messages]
    found = [part.groups() for part in parts if part is not None]
    assert len(found) == len(parts) == 4
    assert [part[0] for part in found] == [b"110", b"110", b"108", b"110"]
    assert [part[3] for part in found] == [
        b"key.created",
        b"key.created",
        b"sign_in_refused",
        b"audit.checkpoint",
    ]
    assert found[0][1] == b"2026-11-20T12:00:00.000000Z"
    assert not any(b"\n" in message for message in receiver.messages)
    assert verified(log, [part[4].decode() for part in found]) == (True, 3)


def test_an_entry_over_what_syslog_takes_is_sent_as_its_commitment(log: Log, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "siem")
    with syslog_receiver(certificate) as receiver:
        config = StreamConfig("syslog", "syslog", host="127.0.0.1", port=receiver.port, ca=certificate[0])
        log.add(1, long="é" * 9000)
        log.job(open_stream(config)).run_once()
    assert all(len(message) <= MAX_MESSAGE for message in receiver.messages)
    said = json.loads(receiver.messages[0].split(b" - ")[-1])
    assert (said["index"], said["shortened"], len(said["leaf"])) == (0, True, 64)


def test_a_syslog_receiver_that_dies_loses_nothing(log: Log, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "siem")
    port = free_port()
    job = log.job(
        open_stream(
            StreamConfig("syslog", "syslog", host="127.0.0.1", port=port, ca=certificate[0], timeout=5)
        )
    )
    received = []
    log.add(6)
    job.run_once()  # nobody listens
    assert "cannot reach" in str(failing(job))
    log.clock.move(seconds=2)
    with syslog_receiver(certificate, port=port, die_after=1500) as receiver:
        job.run_once()  # reset in the middle
        received += receiver.messages
    assert job.states[0].failures == 2
    assert job.states[0].failing_since is not None
    log.add(2)
    log.clock.move(seconds=5)
    with syslog_receiver(certificate, port=port, polite=False) as receiver:
        job.run_once()  # closed without a TLS goodbye: no proof that anything was read
        assert job.states[0].failures == 3
    log.clock.move(seconds=5)
    with syslog_receiver(certificate, port=port) as receiver:
        job.run_once()
        assert failing(job) is None
        received += receiver.messages
        again = receiver.connections
        job.run_once()
        assert receiver.connections == again  # up to date: nobody is disturbed
    lines = [message.split(b" - ")[-1].decode() for message in received]
    assert set(indexes(lines)) == set(range(8))
    assert verified(log, lines) == (True, 8)


def test_syslog_trusts_only_the_given_authority_and_shows_its_own_certificate(
    log: Log, tmp_path: Path
) -> None:
    siem, other, ours = (make_certificate(tmp_path, name) for name in ("siem", "other", "ours"))
    log.add(1)
    with syslog_receiver(siem, client_ca=ours[0]) as receiver:
        base = {"host": "127.0.0.1", "port": receiver.port, "timeout": 5}
        wrong = log.job(open_stream(StreamConfig("wrong", "syslog", ca=other[0], **base)))  # type: ignore[arg-type]
        wrong.run_once()
        assert "CERTIFICATE_VERIFY_FAILED" in str(failing(wrong))
        none = log.job(open_stream(StreamConfig("none", "syslog", ca=siem[0], **base)))  # type: ignore[arg-type]
        none.run_once()
        assert failing(none) is not None
        assert receiver.messages == []
        config = StreamConfig("right", "syslog", ca=siem[0], cert=ours[0], key=ours[1], **base)  # type: ignore[arg-type]
        right = log.job(open_stream(config))
        right.run_once()
        assert failing(right) is None
    assert len(receiver.messages) == 2


def test_otlp_delivers_and_resumes_after_refusals_and_absence(log: Log) -> None:
    port = free_port()
    config = StreamConfig(
        "otlp", "otlp", endpoint=f"http://127.0.0.1:{port}/v1/logs", headers={"authorization": "Bearer t"}
    )
    job = log.job(open_stream(config))
    log.add(3)
    job.run_once()
    assert "no usable answer" in str(failing(job))
    with otlp_receiver(port) as receiver:
        receiver.answers = [(503, 0), (200, 1), (302, 0)]
        for said in ("answers 503", "rejects 1 records", "answers 302"):
            log.clock.move(seconds=60)
            job.run_once()
            assert said in str(failing(job))
        log.add(1)
        log.clock.move(seconds=60)
        job.run_once()
        assert failing(job) is None
        assert indexes(receiver.bodies) == [0, 1, 2, 3]
        assert verified(log, receiver.bodies) == (True, 4)
        assert receiver.headers[0]["authorization"] == "Bearer t"
        made = receiver.requests[0].resource_logs[0]
        first = made.scope_logs[0].log_records[0]
        assert made.resource.attributes[0].value.string_value == "holdfast"
        assert first.event_name == "holdfast.audit.entry"
        assert first.time_unix_nano == 1795176000 * 10**9
        told = {pair.key: pair.value.string_value or pair.value.int_value for pair in first.attributes}
        assert told["holdfast.audit.action"] == "key.created"
        assert told["holdfast.audit.actor"] == "mem_1"


def test_otlp_over_tls_checks_the_receiver(log: Log, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "otlp")
    with syslog_receiver(certificate) as receiver:  # any TLS listener will do to fail the check
        endpoint = f"https://127.0.0.1:{receiver.port}/v1/logs"
        job = log.job(open_stream(StreamConfig("otlp", "otlp", endpoint=endpoint, timeout=5)))
        log.add(1)
        job.run_once()
        assert failing(job) is not None
        assert receiver.connections == 0


def test_a_failing_stream_waits_longer_each_time_and_holds_up_no_other(log: Log, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "audit.jsonl"
    good = tmp_path / "good.jsonl"
    job = log.job(
        open_stream(StreamConfig("bad", "file", path=str(missing))),
        open_stream(StreamConfig("good", "file", path=str(good))),
    )
    log.add(1)
    waits = []
    for _ in range(9):
        job.run_once()
        retry_at = job.states[0].retry_at
        assert retry_at is not None
        waits.append((retry_at - log.clock.now).total_seconds())
        log.clock.now = retry_at
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert "No such file" in str(job.states[0].error)
    assert job.states[1].error is None
    assert indexes(good.read_text().splitlines()) == [0]
    os.mkdir(missing.parent)
    job.run_once()
    assert job.states[0].error is None
    assert verified(log, missing.read_text().splitlines()) == (True, 1)


def test_a_tampered_entry_is_passed_on_for_the_other_end_to_find(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log.add(3)
    with log.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_entries SET record = 'not json' WHERE position = 1")
    job = log.job(open_stream(file_config(path)))
    job.run_once()
    assert failing(job) is None
    assert (
        "line 2" in reads.verify_export(path.read_text().splitlines(), [log.signer.verifier.vkey]).describe()
    )


def test_configurations_are_read_and_wrong_ones_named() -> None:
    found = read_configs(
        [{"kind": "file", "path": "/x"}, {"kind": "otlp", "name": "siem", "endpoint": "https://x/v1/logs"}]
    )
    assert [(config.name, config.kind) for config in found] == [("file", "file"), ("siem", "otlp")]
    for wrong, said in (
        ([{"kind": "smoke"}], "of kind file, syslog, otlp"),
        ([{"kind": "file"}], "needs path"),
        ([{"kind": "syslog", "host": "h", "colour": 1}], "has no colour"),
        ([{"kind": "file", "path": "a"}, {"kind": "file", "path": "b"}], "names that differ"),
    ):
        with pytest.raises(Invalid, match=said):
            read_configs(wrong)
    with pytest.raises(Invalid, match="begins with http"):
        open_stream(StreamConfig("otlp", "otlp", endpoint="ftp://x"))
