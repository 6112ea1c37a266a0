"""Canonical words for providers, operations and finish reasons, and the spellings that stand for them."""

from __future__ import annotations

from typing import Any, Final

from holdfast.telemetry.conventions.values import loads
from holdfast.telemetry.model import Kind

PROVIDERS: Final = {
    "az.ai.openai": "azure.ai.openai",
    "azure.openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google": "gcp.gen_ai",
    "xai": "x_ai",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "watsonx": "ibm.watsonx.ai",
}

OPERATIONS: Final = {
    "chat": Kind.INFERENCE,
    "chat_completions": Kind.INFERENCE,
    "completion": Kind.INFERENCE,
    "generate": Kind.INFERENCE,
    "generate_content": Kind.INFERENCE,
    "text_completion": Kind.INFERENCE,
    "response": Kind.INFERENCE,
    "responses": Kind.INFERENCE,
    "image": Kind.INFERENCE,
    "image_generation": Kind.INFERENCE,
    "audio": Kind.INFERENCE,
    "speech": Kind.INFERENCE,
    "transcription": Kind.INFERENCE,
    "embeddings": Kind.EMBEDDINGS,
    "embedding": Kind.EMBEDDINGS,
    "batch": Kind.INFERENCE,
    "rerank": Kind.RERANK,
    "retrieval": Kind.RETRIEVAL,
    "search_memory": Kind.RETRIEVAL,
    "vectordb": Kind.RETRIEVAL,
    "execute_tool": Kind.TOOL,
    "create_agent": Kind.AGENT,
    "invoke_agent": Kind.AGENT,
    "plan": Kind.AGENT,
    "invoke_workflow": Kind.WORKFLOW,
    "fetch_response": Kind.OTHER,  # reads a stored response: nothing is generated, nothing is billed anew
    "create_memory": Kind.OTHER,
    "update_memory": Kind.OTHER,
    "upsert_memory": Kind.OTHER,
    "delete_memory": Kind.OTHER,
    "create_memory_store": Kind.OTHER,
    "delete_memory_store": Kind.OTHER,
}

OPERATION_OF: Final = {
    Kind.INFERENCE: "chat",
    Kind.EMBEDDINGS: "embeddings",
    Kind.RERANK: "rerank",
    Kind.RETRIEVAL: "retrieval",
    Kind.TOOL: "execute_tool",
    Kind.AGENT: "invoke_agent",
    Kind.WORKFLOW: "invoke_workflow",
}
"""The operation of a span whose convention states a kind in words of its own."""

FINISH: Final = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop-sequence": "stop",
    "end": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content-filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "error": "error",
    "failed": "error",
    "malformed_function_call": "error",
}


def provider(value: Any) -> str | None:
    """The canonical provider name; one that is not known stays as it came, in lower case."""
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    if name in PROVIDERS:
        return PROVIDERS[name]
    head, _, tail = name.rpartition(".")
    if head and tail in ("chat", "messages", "responses", "completion", "embedding", "image", "reranking"):
        return PROVIDERS.get(head, head)  # Vercel writes the provider with its endpoint: openai.chat
    return name or None


def finish_reasons(value: Any) -> tuple[str, ...] | None:
    """Canonical finish reasons from a list, one word, or a JSON list in a string; unknown ones stay."""
    if isinstance(value, str):
        value = loads(value) if value.startswith("[") else [value]
    if not isinstance(value, (list, tuple)):
        raise ValueError("not finish reasons")
    words = [word for word in value if isinstance(word, str) and word and len(word) <= 64]
    return tuple(FINISH.get(word.lower(), word) for word in words) or None
