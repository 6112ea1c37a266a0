"""Runs one worker: `python -m holdfast.gateway.proxy DATA NUMBER DESCRIPTOR`. Started by the gateway's own master."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from holdfast.gateway.proxy.worker import Place, run
from holdfast.platform.settings import Settings

if __name__ == "__main__":
    os.umask(0o077)
    data, number, descriptor = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    settings = Settings(data=data)  # type: ignore[call-arg]
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    run(settings, Place(number, data / "gateway", descriptor))
