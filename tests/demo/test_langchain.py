"""LangChain's standard tests of chat models, through the gateway and directly: what passes there passes here.

The small model fails some of them by itself: it calls no tools of its own accord, and does not end a text in a field.
They are named, and have to fail without the gateway too; only `make soak` asks them, as they fail slowly.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.running_gateway import KEY, Worker

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/langchain/bin/python"
CLIENTS = ROOT / "tests/gateway/clients"
MODEL_FAILS = frozenset(
    (
        "test_agent_loop[model0]",
        "test_agent_loop[model1]",
        "test_bind_runnables_as_tools",
        "test_structured_output[json_schema]",
        "test_structured_output[pydantic]",
        "test_structured_output[typeddict]",
        "test_structured_output_async[json_schema]",
        "test_structured_output_async[pydantic]",
        "test_structured_output_async[typeddict]",
        "test_structured_output_optional_param",
        "test_structured_output_pydantic_2_v1",
        "test_tool_calling[model0]",
        "test_tool_calling[model1]",
        "test_tool_calling_async",
        "test_tool_calling_with_no_arguments",
        "test_tool_choice",
        "test_unicode_tool_call_integration",
    )
)
"""The model itself fails these directly."""


def outcomes(
    folder: Path,
    kind: str,
    url: str,
    key: str,
    model: str,
    *,
    only: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """By name of a test: passed, failed or skipped."""
    if not PYTHON.exists():
        pytest.skip("its environment is not there: make .venv/.stamps/clients")
    file, report = CLIENTS / "langchain_standard.py", folder / "report.xml"
    chosen = [f"{file}::{kind}::{name}" for name in sorted(only)] or [f"{file}::{kind}"]
    left = [part for name in sorted(without) for part in ("--deselect", f"{file}::{kind}::{name}")]
    command = [
        PYTHON,
        "-m",
        "pytest",
        "-c",
        CLIENTS / "langchain.ini",
        f"--junitxml={report}",
        *chosen,
        *left,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"CLIENT_URL": url, "CLIENT_KEY": key, "CLIENT_MODEL": model, "PYTHONPATH": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=1500, check=False
    )
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-2000:]
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        told = {child.tag for child in case}
        outcome = "failed" if told & {"failure", "error"} else "skipped" if "skipped" in told else "passed"
        found[case.attrib["name"]] = outcome
    return found


def named(found: dict[str, str], outcome: str) -> set[str]:
    return {name for name, one in found.items() if one == outcome}


@pytest.mark.parametrize(
    ("kind", "model"),
    [("TestOpenAI", "local"), ("TestAnthropic", "native"), ("TestAnthropic", "local")],
    ids=["openai", "anthropic as it is", "anthropic said in the other dialect"],
)
def test_what_passes_directly_passes_through_the_gateway(
    door: Worker, model_url: str, tmp_path: Path, kind: str, model: str, soak: bool
) -> None:
    without = frozenset() if soak else MODEL_FAILS
    found = outcomes(tmp_path, kind, door.url, KEY, model, without=without)
    assert len(named(found, "passed")) >= 18
    more = named(found, "failed") - MODEL_FAILS
    there = model_url.removesuffix("/v1")
    directly = outcomes(tmp_path, kind, there, "none", model, only=frozenset(more)) if more else {}
    assert not named(directly, "passed"), "the gateway is in the way of these"
    assert not more, "these fail directly too, and are not on the list"


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["TestOpenAI", "TestAnthropic"])
def test_what_the_model_fails_it_fails_directly(model_url: str, tmp_path: Path, kind: str) -> None:
    found = outcomes(tmp_path, kind, model_url.removesuffix("/v1"), "none", "any", only=MODEL_FAILS)
    assert named(found, "failed") == MODEL_FAILS
