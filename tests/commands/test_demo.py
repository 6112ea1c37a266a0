"""The demo's gateway: configured at the first start, followed at the next, and left alone once somebody owns it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.commands import demo, open_database
from holdfast.commands import gateway as commands
from holdfast.evals.reads import suites as reads
from holdfast.gateway.model import Version
from holdfast.gateway.reads import applied
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


def in_force(settings: Settings) -> Version:
    with closing(open_database(settings)) as database, database.reading() as tx:
        workspace = tenancy.workspace_by_slug(tx, "demo").id
        found = applied.current(Context(workspace, commands.CLI, utc_now()), tx)
    assert found is not None
    return found


def apply(settings: Settings, tmp_path: Path, text: str) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    commands.apply(settings, file, "demo", "mine", None, dry_run=False)


def test_the_first_start_configures_it_and_the_next_changes_nothing(settings: Settings) -> None:
    assert demo.lead(settings, 23456)
    first = in_force(settings)
    upstream: dict[str, Any] = first.document["upstreams"]["demo-model"]
    assert upstream["base_url"] == "http://127.0.0.1:23456/v1"
    routes = {"policy-question", "leave-request", "summarise-ticket", "ask-hr"}
    assert set(first.document["routes"]) == routes
    assert demo.lead(settings, 23456)
    assert in_force(settings).version == first.version
    assert demo.lead(settings, 23457)
    moved = in_force(settings)
    assert moved.document["upstreams"]["demo-model"]["base_url"] == "http://127.0.0.1:23457/v1"
    assert moved.release_ids == first.release_ids


def test_what_somebody_wrote_since_stays(settings: Settings, tmp_path: Path) -> None:
    demo.lead(settings, 23456)
    private = settings.model_copy(update={"outbound_allow": "127.0.0.1"})
    apply(
        private,
        tmp_path,
        "upstreams: {demo-model: {dialect: openai, base_url: 'http://127.0.0.1:23456/v1'}}\n"
        "budgets: [{scope: workspace, amount: '5'}]",
    )
    for port in (23456, 23457):
        assert demo.lead(settings, port)
        now = in_force(settings).document
        assert now["upstreams"]["demo-model"]["base_url"] == f"http://127.0.0.1:{port}/v1"
        assert len(now["budgets"]) == 1
        assert "routes" not in now
    apply(private, tmp_path, "{}")
    assert not demo.lead(settings, 23456)
    apply(private, tmp_path, "upstreams: {own: {dialect: openai, base_url: 'http://127.0.0.1:1/v1'}}")
    theirs = in_force(settings)
    assert not demo.lead(settings, 23456)
    assert in_force(settings) == theirs


def test_the_readers_own_model_is_led_to_with_its_key_as_a_reference(tmp_path: Path) -> None:
    own = Settings(
        data=tmp_path / "data",
        demo_base_url="http://127.0.0.1:11434/v1",
        demo_api_key="sk-own",
        demo_model="big",
    )
    assert demo.lead(own, 23456)
    document = in_force(own).document
    assert document["upstreams"]["demo-model"]["base_url"] == "http://127.0.0.1:11434/v1"
    assert document["upstreams"]["demo-model"]["credential"] == "env:HOLDFAST_DEMO_API_KEY"
    assert "sk-own" not in str(document)
    assert document["releases"]["hr-assistant"]["chain"] == [{"upstream": "demo-model", "model": "big"}]


def test_nobody_else_may_lead_a_gateway_into_this_machine(settings: Settings, tmp_path: Path) -> None:
    demo.lead(settings, 23456)
    with pytest.raises(Invalid, match="private network"):
        apply(
            settings,
            tmp_path,
            "upstreams: {own: {dialect: openai, base_url: 'http://127.0.0.1:8400/v1'}}",
        )


def test_its_suites_are_there_and_what_somebody_made_of_them_stays(settings: Settings) -> None:
    folder = Path(__file__).parents[2] / "demo" / "suites"
    demo.judge(settings, folder)
    with closing(open_database(settings)) as database, database.reading() as tx:
        ctx = Context(tenancy.workspace_by_slug(tx, "demo").id, commands.CLI, utc_now())
        [first] = reads.latest(ctx, tx)
    assert (first.name, first.version) == ("northwind-hr", 1)
    assert first.cases >= 60
    demo.judge(settings, folder)
    with closing(open_database(settings)) as database, database.reading() as tx:
        assert [one.version for one in reads.latest(ctx, tx)] == [1]
