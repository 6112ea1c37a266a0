"""List prices: dated, tiered, by service tier, equal to the library's own sum, and unknown where unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import Charge, PriceQuery, Usage
from holdfast.pricing.prices import Pricer
from holdfast.pricing.rules import usage as rules

VECTORS = Path(__file__).parents[2].parent / "shared/data/llm-cost-vectors/vectors.json"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICER = Pricer()


def ask(provider: str | None, model: str | None, usage: Usage, at: datetime = AT, **more: Any) -> Charge:
    return PRICER.list_price(PriceQuery(provider, model, usage, at, **more))


def test_anthropic_with_cache_to_the_last_digit() -> None:
    charge = ask("anthropic", "claude-sonnet-4-5-20250929", Usage(100, 600, 300, output=50))
    assert charge.amount == Decimal("0.002355")
    assert charge.parts == {
        "input_uncached": Decimal("0.0003"),
        "input_cache_read": Decimal("0.00018"),
        "input_cache_write": Decimal("0.001125"),
        "output": Decimal("0.00075"),
    }
    assert charge.price_id == (
        f"genai-prices@{genai_prices.__version__}:anthropic/claude-sonnet-4-5:write-ttl-assumed-5m"
    )
    assert (charge.currency, charge.source) == ("USD", "genai-prices")


def test_cache_writes_by_time_to_live() -> None:
    usage = Usage(0, 0, 300, 100, 200, output=0)
    charge = ask("anthropic", "claude-sonnet-4-5-20250929", usage)
    assert charge.parts == {
        "input_cache_write_5m": Decimal("0.000375"),
        "input_cache_write_1h": Decimal("0.0012"),
    }
    assert charge.price_id is not None
    assert not charge.price_id.endswith("assumed-5m")


def test_one_hour_writes_without_a_price_are_unknown() -> None:
    charge = ask("openai", "gpt-5", Usage(0, 0, 300, input_cache_write_1h=300, output=1))
    assert charge.amount is None
    assert "1 hour" in str(charge.unknown_reason)


def test_a_threshold_moves_the_whole_request() -> None:
    below = ask("anthropic", "claude-sonnet-4-5", Usage(200_000, output=1000))
    above = ask("anthropic", "claude-sonnet-4-5", Usage(1, 200_000, output=0))
    assert below.amount == Decimal("0.615")
    assert ask("anthropic", "claude-sonnet-4-5", Usage(200_001, output=1000)).amount == Decimal("1.222506")
    assert above.parts["input_cache_read"] == Decimal("0.12"), "cached tokens count towards the threshold"
    assert str(above.price_id).endswith(":over-200000")


def test_the_price_of_that_day_holds() -> None:
    usage = Usage(1_000_000, output=0)
    before = ask("openai", "o3", usage, datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC))
    after = ask("openai", "o3", usage, datetime(2025, 6, 10, tzinfo=UTC))
    assert (before.amount, before.effective_from) == (Decimal(10), None)
    assert (after.amount, after.effective_from) == (Decimal(2), datetime(2025, 6, 10, tzinfo=UTC))
    assert str(after.price_id).endswith("openai/o3:2025-06-10")
    east = timezone(timedelta(hours=5))
    assert ask("openai", "o3", usage, datetime(2025, 6, 10, 2, tzinfo=east)).amount == Decimal(10)


def test_the_price_of_that_hour_holds() -> None:
    usage = Usage(1_000_000, output=0)
    prices = {
        f"{hour:02}:{minute:02}": ask(
            "deepseek", "deepseek-chat", usage, AT.replace(hour=hour, minute=minute)
        ).amount
        for hour, minute in [(0, 29), (0, 30), (16, 29), (16, 30)]
    }
    cheap, dear = Decimal("0.135"), Decimal("0.27")
    assert prices == {"00:29": cheap, "00:30": dear, "16:29": dear, "16:30": cheap}


@pytest.mark.parametrize(
    ("provider", "model", "tier", "expected"),
    [
        ("openai", "gpt-5", "batch", "5.625"),
        ("openai", "gpt-5", "flex", "5.625"),
        ("openai", "gpt-5", "priority", "22.5"),
        ("openai", "gpt-5", "default", "11.25"),
        ("openai", "gpt-5", "auto", "11.25"),
        ("openai", "gpt-5", None, "11.25"),
        ("anthropic", "claude-opus-4-8", "batch", "15"),
        ("anthropic", "claude-opus-4-8", "fast", "60"),
        ("google", "gemini-2.5-flash", "ON_DEMAND", "2.8"),
    ],
)
def test_service_tiers(provider: str, model: str, tier: str | None, expected: str) -> None:
    usage = Usage(1_000_000, output=1_000_000)
    assert ask(provider, model, usage, service_tier=tier).amount == Decimal(expected)


@pytest.mark.parametrize(
    ("tier", "at"),
    [("scale", AT), ("batch", datetime(2026, 10, 13, tzinfo=UTC)), ("provisioned_throughput", AT)],
)
def test_a_tier_without_a_price_is_unknown_not_standard(tier: str, at: datetime) -> None:
    charge = ask("openai", "gpt-5", Usage(10, output=10), at, service_tier=tier)
    assert charge.amount is None
    assert f"no price for service tier {tier}" in str(charge.unknown_reason)


def test_another_providers_tier_is_not_borrowed() -> None:
    standard = ask("azure", "gpt-5", Usage(10, output=10))
    assert standard.amount is not None
    assert ask("azure", "gpt-5", Usage(10, output=10), service_tier="batch").amount is None


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (("openai", "gpt-nonesuch", Usage(1, output=1)), "unknown model"),
        (("nobody", "gpt-5", Usage(1, output=1)), "no price list for provider"),
        ((None, "my-own-model", Usage(1, output=1)), "unknown model"),
        (("openai", None, Usage(1, output=1)), "model unknown"),
        (("openai", "x" * 5000, Usage(1, output=1)), "too long"),
        (("openai", "gpt-5", Usage()), "usage unknown"),
        (("openai", "gpt-5", Usage(1)), "output usage unknown"),
        (("openai", "gpt-5", Usage(output=1)), "input usage unknown"),
        (("openai", "gpt-5", Usage(None, 5, output=1)), "input usage unknown"),
        (("openai", "gpt-5", Usage(1, output=1, output_reasoning=2)), "usage impossible"),
        (("openai", "text-embedding-3-small", Usage(1, output=1)), "no rate for output"),
    ],
)
def test_unknown_is_none_with_a_reason(query: tuple[Any, Any, Usage], reason: str) -> None:
    charge = ask(*query)
    assert charge.amount is None
    assert charge.parts == {}
    assert reason in str(charge.unknown_reason)


def test_embeddings_need_no_output() -> None:
    assert ask("openai", "text-embedding-3-small", Usage(1_000_000)).amount == Decimal("0.02")
    assert ask("mistral_ai", "mistral-embed", Usage(1_000_000)).amount == Decimal("0.1")


def test_who_the_provider_is() -> None:
    usage = Usage(1_000_000, output=0)
    assert "azure/" in str(ask("azure.ai.openai", "gpt-4o", usage).price_id)
    assert "google/" in str(ask("gcp.gen_ai", "models/gemini-2.5-flash", usage).price_id)
    arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert ask("aws.bedrock", arn, usage).amount == Decimal("3.3")
    by_url = ask("openai", "deepseek-chat", usage, base_url="https://api.deepseek.com/v1")
    assert "deepseek/" in str(by_url.price_id)
    local = ask("openai", "gpt-4o", usage, base_url="http://localhost:8401/v1")
    assert "openai/" in str(local.price_id)
    assert "anthropic/" in str(ask("litellm", "anthropic/claude-sonnet-4-5", usage).price_id)
    assert "openai/" in str(ask(None, "gpt-4o", usage).price_id)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(Invalid):
        ask("openai", "gpt-5", Usage(1, output=1), datetime(2026, 1, 1))  # noqa: DTZ001


MODELS = sorted(
    (provider.id, model.id)
    for provider in get_snapshot().providers
    for model in provider.models
    if provider.id
    in {"anthropic", "openai", "google", "deepseek", "aws", "mistral", "x-ai", "perplexity", "groq"}
)
TOKENS = st.integers(0, 300_000)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    named=st.sampled_from(MODELS),
    counts=st.tuples(TOKENS, TOKENS, TOKENS, TOKENS),
    shares=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    at=st.datetimes(datetime(2025, 1, 1), datetime(2027, 2, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    tier=st.sampled_from([None, "batch", "flex", "priority"]),
)
def test_equal_to_the_library(
    named: tuple[str, str],
    counts: tuple[int, int, int, int],
    shares: tuple[int, int],
    at: datetime,
    tier: str | None,
) -> None:
    uncached, read, write, output = counts
    audio, reasoning = uncached * shares[0] // 100, output * shares[1] // 100
    ours = ask(
        *named,
        Usage(
            uncached,
            read,
            write,
            output=output,
            output_reasoning=reasoning,
            input_audio=audio,
            cache_read_audio=0,
        ),
        at,
        service_tier=tier,
    )
    if ours.amount is None:
        return
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=uncached + read + write,
            cache_read_tokens=read,
            cache_write_tokens=write,
            output_tokens=output,
            output_reasoning_tokens=reasoning,
            input_audio_tokens=audio,
            cache_audio_read_tokens=0,
        ),
        named[1],
        provider_id=named[0],
        genai_request_timestamp=at,
        price_context={"processing": tier, "service_tier": tier, "speed": tier} if tier else None,
    )
    assert ours.amount == theirs.total_price
    assert sum(ours.parts.values()) == ours.amount


def test_most_of_the_list_can_be_priced() -> None:
    """Guards the test above against passing because everything is unknown."""
    priced = [ask(*named, Usage(10, output=10)).amount is not None for named in MODELS]
    assert sum(priced) > 0.6 * len(priced)


@given(
    named=st.sampled_from(MODELS), a=st.tuples(TOKENS, TOKENS, TOKENS), b=st.tuples(TOKENS, TOKENS, TOKENS)
)
def test_more_tokens_never_cost_less(
    named: tuple[str, str], a: tuple[int, int, int], b: tuple[int, int, int]
) -> None:
    less = ask(*named, Usage(a[0], a[1], output=a[2])).amount
    more = ask(*named, Usage(a[0] + b[0], a[1] + b[1], output=a[2] + b[2])).amount
    assert (less is None) == (more is None) or 0 in (a[2], a[2] + b[2])
    if less is not None and more is not None:
        assert 0 <= less <= more


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    if not VECTORS.exists():
        pytest.skip("the shared cost vectors are not here")
    return {vector["id"]: vector for vector in json.loads(VECTORS.read_text())}


def test_vectors_that_name_an_amount(vectors: dict[str, Any]) -> None:
    console = vectors["anthropic-console-9812"]
    usage = rules.partition_anthropic(console["usage_raw"]).usage
    assert ask("anthropic", console["model"], usage).amount == Decimal(console["expected_usd"])
    cliff = vectors["long-context-cliff"]
    for case in cliff["cases"]:
        usage = Usage(case["input_tokens"], output=case["output_tokens"])
        assert ask("anthropic", cliff["model"], usage).amount == Decimal(case["expected_usd"])
    dated = vectors["dated-price-o3"]
    for case in dated["cases"]:
        at = datetime.fromisoformat(case["at"])
        charge = ask("openai", dated["model"], Usage(case["input_tokens"], output=0), at)
        assert charge.amount == Decimal(case["expected_usd"])


def test_vectors_that_name_a_partition(vectors: dict[str, Any]) -> None:
    for name in ("openai-subset-codex-22", "openrouter-subset-10592", "openai-reasoning-subset"):
        usage = rules.partition_openai(vectors[name]["usage_raw"]).usage
        expected = vectors[name]["expected_partition"]
        assert usage.input_uncached == expected["uncached_input"], name
        assert usage.input_cache_read == expected["cache_read"], name
        assert usage.output == expected.get("output"), name
        assert usage.output_reasoning == expected.get("of_which_reasoning"), name
    double = vectors["otel-anthropic-double-count-12306"]
    assert (
        rules.partition_anthropic(double["usage_raw"]).usage.input_total
        == double["expected_total_input_tokens"]
    )
    hidden = rules.partition_openai(vectors["gemini-openai-compat-hidden-thinking"]["usage_raw"])
    assert hidden.usage.output == 967
    assert hidden.problems
    gemini = rules.partition_gemini(vectors["gemini-cache-5711"]["usage_raw"]).usage
    assert (gemini.input_uncached, gemini.input_cache_read) == (1438, 24540)


def test_the_impossible_vector_is_refused(vectors: dict[str, Any]) -> None:
    given_ = vectors["impossible-usage"]["usage_normalised"]
    partition = rules.from_totals(input_total=given_["input_tokens"], cache_read=given_["cache_read_tokens"])
    assert partition.problems
    assert ask("anthropic", "claude-sonnet-4-5", partition.usage).amount is None


def test_free_is_zero_only_where_the_name_says_so() -> None:
    free = next(
        model.id
        for provider in get_snapshot().providers
        if provider.id == "openrouter"
        for model in provider.models
        if model.id.endswith(":free")
    )
    charge = ask("openrouter", free, Usage(10, output=10))
    assert (charge.amount, charge.unknown_reason) == (Decimal(0), None)
    moderation = ask("openai", "omni-moderation-latest", Usage(10, output=0))
    assert moderation.amount is None, "a model on the list without any price is unknown, not free"


def test_a_call_is_priced_from_memory() -> None:
    """Looking a model up takes the library hundreds of microseconds; a second call must not look again."""
    pricer = Pricer(cache_size=8)
    query = PriceQuery("anthropic", "claude-sonnet-4-5", Usage(1, output=1), AT)
    first = pricer.list_price(query)
    pricer._providers = []
    assert pricer.list_price(query) == first
    for number in range(20):
        pricer.list_price(PriceQuery("anthropic", f"m{number}", Usage(1, output=1), AT))
    assert pricer.list_price(query).amount is None, "the caches are bounded"
