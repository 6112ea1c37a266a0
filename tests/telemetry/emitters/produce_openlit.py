"""Drive an official SDK under OpenLIT, in the environment that its releases of the SDKs need.

    python produce_openlit.py openlit-openai|openlit-anthropic PROVIDER_URL OTLP_ENDPOINT [HEADER=VALUE …]

OpenLIT sets its own exporter up and is left to it; the scenarios are those of produce.py.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from produce import drive

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
PRICES = '{"chat": {"gpt-4o-mini": {"promptPrice": 0.001, "completionPrice": 0.002}}, "embeddings": {}}'


def main(instrumentation: str, url: str, endpoint: str, *headers: str) -> None:
    import openlit
    from opentelemetry import trace

    with tempfile.NamedTemporaryFile("w", suffix=".json") as prices:  # else it asks the internet for a list
        prices.write(PRICES)
        prices.flush()
        openlit.init(
            otlp_endpoint=endpoint,
            otlp_headers=dict(header.split("=", 1) for header in headers),
            service_name="sample-app",
            environment="test",
            pricing_json=prices.name,
        )
    drive(instrumentation, url, trace.get_tracer("sample.app"))
    tracer_provider: Any = trace.get_tracer_provider()
    tracer_provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
