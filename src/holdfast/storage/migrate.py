"""Brings the control store to the newest form."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from holdfast.storage.sql import Database


def config(database: Database) -> Config:
    """Alembic's configuration for a database; holds no address."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.attributes["connection"] = None
    return made


def migrate(database: Database) -> None:
    """Runs every migration that is missing, in one linear history. Safe to call at each start."""
    settings = config(database)
    with database.engine.connect() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        connection.commit()


def revisions() -> list[str]:
    """Every migration that this version knows, the newest first."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return [one.revision for one in ScriptDirectory.from_config(made).walk_revisions()]
