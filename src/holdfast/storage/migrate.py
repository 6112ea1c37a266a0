"""Brings the control store to the newest form."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from holdfast.storage.sql import Database


def config(database: Database) -> Config:
    """Alembic's configuration for a database; holds no address."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.attributes["connection"] = None
    return made


def migrate(database: Database) -> list[str]:
    """Runs every migration that is missing, in one linear history, and returns them. Safe to call at each start.

    Of several processes that start at once on PostgreSQL, one migrates and the others wait for it.
    """
    settings = config(database)
    with database.engine.connect() as connection:
        if database.path is None:
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
        try:
            before = _revision(connection)
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
            connection.commit()
            after = _revision(connection)
        finally:
            if database.path is None:
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                connection.commit()
    walked = ScriptDirectory.from_config(settings).iterate_revisions(after, before or "base")
    return [str(one.revision) for one in reversed(list(walked))] if after != before else []


_LOCK = 0x686F6C6466617374
"""The name of the lock, which is `holdfast` in ASCII."""


def _revision(connection: sa.Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return found


def revisions() -> list[str]:
    """Every migration that this version knows, the newest first."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return [one.revision for one in ScriptDirectory.from_config(made).walk_revisions()]
