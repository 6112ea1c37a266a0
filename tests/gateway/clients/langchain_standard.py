"""LangChain's standard tests of chat models, against CLIENT_URL, with CLIENT_KEY, for CLIENT_MODEL.

Runs in an environment of its own, started by tests/demo/test_langchain.py.
"""

from __future__ import annotations

import os
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

URL, KEY, MODEL = (os.environ.get(f"CLIENT_{name}", "") for name in ("URL", "KEY", "MODEL"))
PARAMETERS: dict[str, Any] = {
    "model": MODEL,
    "api_key": KEY,
    "max_tokens": 40,
    "max_retries": 0,
    "timeout": 300,
}


class TestOpenAI(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**PARAMETERS, "base_url": URL + "/v1", "temperature": 0, "stream_usage": True}


class TestAnthropic(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatAnthropic]:
        return ChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**PARAMETERS, "base_url": URL, "temperature": 0}
