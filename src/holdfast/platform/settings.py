"""One settings object for the whole product: read once, from HOLDFAST_* variables, then passed down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting; each can be given as HOLDFAST_<NAME>, some also on the command line."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", env_nested_delimiter="__", frozen=True)

    data: Path = Field(Path("data"), description="Folder of the embedded stores, keys and spools.")
    host: str = Field("127.0.0.1", description="Address that every listener binds to.")
    port: int = Field(8400, description="Port of pages, API and OTLP/HTTP.")
    grpc_port: int = Field(4317, description="Port of OTLP/gRPC; 0 switches it off.")
    gateway_port: int = Field(8401, description="Port of the gateway.")
    public_url: str = Field(
        "", description="Address that people reach Holdfast at; used in links and for OIDC."
    )
    sql_url: str = Field(
        "", description="Control store; empty: SQLite in the data folder. postgresql+psycopg://…"
    )
    columns_url: str = Field(
        "",
        description="Call store; empty: chDB in the data folder. clickhouse://user:pass@host[,host…]/db[?cluster=…]",
    )

    jobs: bool = Field(
        True,
        description="Whether `holdfast serve` runs the jobs as well; false where `holdfast worker` does.",
    )

    max_body_bytes: int = Field(32 << 20, description="Largest OTLP request, after decompression.")
    max_attribute_bytes: int = Field(1 << 20, description="Largest attribute value that is kept whole.")
    max_past_days: int = Field(
        3660, description="Spans that began longer ago are refused: the sender's clock is off."
    )
    max_future_minutes: int = Field(
        60, description="Spans that begin further ahead are refused: the clock is off."
    )
    scope_overrides: str = Field(
        "{}",
        description='How instrumentation scopes count tokens, JSON: {"my.scope": {"input_includes_cache": false}}.',
    )
    queue_bytes: int = Field(
        256 << 20, description="Telemetry that waits for the disk; above this, senders get 503."
    )
    ingest_workers: int | None = Field(
        None,
        ge=0,
        description="Most processes that help to prepare telemetry under load; 0: none. Not set: by the number of cores.",
    )
    min_free_bytes: int = Field(
        256 << 20, description="Free disk below which telemetry gets 503 and nothing is lost."
    )

    ca_bundle: Path | None = Field(None, description="CA bundle that every outbound connection trusts.")
    proxy: str = Field("", description="Proxy of every outbound HTTP connection.")
    client_cert: Path | None = Field(
        None, description="Client certificate (PEM) of every outbound connection."
    )
    client_key: Path | None = Field(None, description="Its private key (PEM), where it is a file of its own.")

    outbound_allow: str = Field(
        "",
        description="Private hosts or networks that webhooks and upstreams may be in: comma list: names, addresses, CIDRs.",
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="32 bytes in base 64 that wrap the data keys; empty: keys/master.key in the data folder.",
    )

    local_sign_in: bool = Field(
        True, description="Whether members may sign in with a password or a one-time link."
    )
    session_hours: int = Field(12, description="Hours after which a browser session ends.")
    cookie_secure: Literal["auto", "always"] = Field(
        "auto", description="Send cookies over HTTPS only; auto: as served."
    )
    oidc_issuer: str = Field("", description="OpenID Connect issuer; empty: no OIDC.")
    oidc_client_id: str = Field("", description="Client id at the issuer.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="Client secret, or a reference: env:, file:, vault:."
    )
    oidc_groups_claim: str = Field("groups", description="Claim that lists a person's groups.")
    oidc_role_map: str = Field(
        "{}",
        description='Groups to roles, JSON: {"group": [{"workspace": "…", "role": "viewer", "content": false}]}.',
    )

    vault_address: str = Field("", description="HashiCorp Vault, for vault: secret references.")
    vault_token: SecretStr = Field(SecretStr(""), description="Vault token, or a reference (env:, file:).")
    audit_streams: str = Field(
        "[]", description="Where audit events and checkpoints are streamed to, JSON list."
    )
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Token for `/metrics`, or a reference (env:, file:, vault:); empty: to this machine alone.",
    )
    gateway_token: SecretStr = Field(
        SecretStr(""),
        description="Token of gateways that reach the core over TCP, or a reference (env:, file:, vault:); empty: none may.",
    )
    gateway_url: str = Field(
        "",
        description="Where the core reaches a gateway, to try requests out; empty: on this machine, at its port.",
    )
    gateway_admin: str = Field(
        "",
        description="Where a gateway apart takes signed snapshots that `holdfast rollback` pushes (host:port, in a private"
        " network); empty: on its own data folder's socket alone.",
    )
    core_url: str = Field(
        "", description="Where a gateway apart finds the core; empty: the socket in the data folder."
    )
    metrics_export: str = Field(
        "[]", description="Where figures of calls are sent to (OTLP, CloudWatch EMF), JSON list."
    )
    metrics_series: int = Field(
        1000,
        ge=1,
        le=20_000,
        description="Most series of a workspace in `/metrics/calls` and in each export; the rest is one series.",
    )
    log_level: str = Field("info", description="debug, info, warning or error.")

    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Redis that gateways share budgets and limits by: redis://…, or a reference; empty: each machine alone.",
    )
    gateway_workers: int = Field(1, ge=1, le=64, description="Gateway processes that share the port.")
    gateway_spool_bytes: int = Field(
        1 << 30, description="Call records that wait for the core on the gateway's disk, for each process."
    )
    gateway_spool_full: Literal["refuse", "unrecorded"] = Field(
        "refuse",
        description="What a full spool means: requests are refused, or served without a record, loudly.",
    )
    gateway_batch_seconds: float = Field(
        300.0, gt=0, description="How often a gateway asks a vendor whether an open batch is finished."
    )
    gateway_drain_seconds: int = Field(
        600, ge=0, description="How long a gateway that is being stopped waits for its streams to end."
    )

    graders_folder: Path | None = Field(
        None,
        description="Folder with code of graders in Python, a folder for each workspace by its slug; none: no such code"
        " is run. The code runs as Holdfast's own user.",
    )
    demo_base_url: str = Field(
        "", description="OpenAI-compatible endpoint in place of the demo's local model."
    )
    demo_api_key: SecretStr = Field(SecretStr(""), description="Key for it.")
    demo_model: str = Field("", description="Model name for it.")

    @property
    def sql(self) -> str:
        """The control store's URL."""
        return self.sql_url or f"sqlite:///{self.data.resolve() / 'holdfast.db'}"

    @property
    def columns(self) -> str:
        """The call store's URL."""
        return self.columns_url or f"chdb://{self.data.resolve() / 'columns'}"

    @property
    def base_url(self) -> str:
        """What links begin with, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def environment_variable(name: str) -> str | None:
    """The value of a variable that a secret reference (`env:NAME`) names."""
    return os.environ.get(name)
