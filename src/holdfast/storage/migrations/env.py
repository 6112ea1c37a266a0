"""Alembic's entry: runs migrations on the connection it is given."""

from typing import Any, Literal

from alembic import context

from holdfast.storage.sql import Instant, metadata


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """How generated migrations write our own column type."""
    return "Instant" if kind == "type" and isinstance(item, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
