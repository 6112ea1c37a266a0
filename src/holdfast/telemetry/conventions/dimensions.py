"""The nine dimensions a call is told apart by, the marker of sample data, and where each may be stated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TRACELOOP: Final = "traceloop.association.properties."
VERCEL: Final = "ai.telemetry.metadata."

SPAN: Final[Mapping[str, tuple[str, ...]]] = {
    "system": ("holdfast.system", "service.name"),
    "environment": (
        "holdfast.environment",
        "deployment.environment.name",
        "deployment.environment",
        "langfuse.environment",
        "gen_ai.environment",
    ),
    "route": (
        "holdfast.route",
        "gen_ai.workflow.name",
        "traceloop.workflow.name",
        "ai.telemetry.functionId",
    ),
    "agent": ("holdfast.agent", "gen_ai.agent.name", "agent.name", "graph.node.name"),
    "tenant": (
        "holdfast.tenant",
        "tenant.id",
        f"{TRACELOOP}tenant_id",
        f"{TRACELOOP}tenant.id",
        f"{VERCEL}tenantId",
        f"{VERCEL}tenant_id",
    ),
    "user": (
        "holdfast.user",
        "user.id",
        "enduser.id",
        "enduser.pseudo.id",
        "langfuse.user.id",
        "gen_ai.user",
        "llm.user",
        f"{TRACELOOP}user_id",
        f"{VERCEL}userId",
        f"{VERCEL}user_id",
    ),
    "session": (
        "holdfast.session",
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        f"{TRACELOOP}session_id",
        f"{TRACELOOP}conversation_id",
        f"{VERCEL}sessionId",
        f"{VERCEL}session_id",
    ),
    "release": ("holdfast.release", "service.version"),
    "feature": ("holdfast.feature", f"{TRACELOOP}feature", f"{VERCEL}feature"),
    "sample": ("holdfast.sample",),
}
"""Dimension -> attribute names, the best first. A span's own attributes go before those of its resource."""

SERVER_ROUTE: Final = "http.route"
"""On a SERVER span the route of the request that came in; on a CLIENT span some provider's endpoint, unread."""
