"""hub.toml: read, resolve secrets, validate everything at once.

Raises canonical.errors.ConfigError with every finding, one line each: key, what is wrong, what to write instead.
"""

import difflib
import os
import re
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from canonical.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def parse_duration(value: object) -> float:
    """ "30s", "10m", "24h" or "500ms" as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", str(value).strip())
    if not match:
        raise ValueError(f'{value!r} is not a duration; write it with a unit, such as "30s", "10m" or "24h"')
    return float(match[1]) * _UNITS[match[2]]


def parse_rate(value: object) -> float:
    """ "50/s", "600/m" or "1000/h" as a number per second."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h|d)", str(value).strip())
    if not match or float(match[1]) <= 0:
        raise ValueError(f'{value!r} is not a rate; write it with a unit, such as "50/s" or "600/m"')
    return float(match[1]) / _UNITS[match[2]]


def parse_size(value: object) -> int:
    """ "10MiB" as bytes."""
    match = re.fullmatch(r"(\d+)\s*(B|KB|MB|GB|KiB|MiB|GiB)", str(value).strip())
    if not match:
        raise ValueError(f'{value!r} is not a size; write it with a unit, such as "10MiB"')
    return int(match[1]) * _SIZES[match[2]]


def _as(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda v: v if isinstance(v, int | float) and not isinstance(v, bool) else parse(v))


Duration = Annotated[float, _as(parse_duration)]
Rate = Annotated[float, _as(parse_rate)]
Size = Annotated[int, _as(parse_size)]
Network = IPv4Network | IPv6Network


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSection(_Section):
    store: str = Field("sqlite:///var/hub.db", description="database URL: sqlite:///FILE or postgresql+psycopg://...")
    timezone: str = Field("Asia/Shanghai", description="zone for what people read; stored times are UTC")
    mappings: str = Field("", description="folder of mappings; empty: the one that comes with the hub")
    listen: str = Field("127.0.0.1:8080", description="address of webhooks, API and console")
    body_limit: Size = Field(10 * 1024**2, description="largest accepted push body; a larger one gets 413")
    batch: int = Field(100, ge=1, le=1000, description="messages or deliveries claimed at once")
    group_commit: Duration = Field(
        0.05, description="longest wait of a push for its neighbours; none where the hub has little to do"
    )
    lease: Duration = Field(60.0, description="how long a worker may hold a claim before another takes it over")
    key: str = Field(
        "",
        description="encrypts tokens and bodies at rest (hub token key makes one); behind a comma the one before",
    )
    networks: tuple[Network, ...] = Field(
        (), description="private networks that names in addresses may lead to, such as 10.0.0.0/8"
    )
    backlog: int = Field(1_000_000, ge=1, description="unfinished messages and deliveries at which senders are slowed")
    disk_free: Size = Field(
        256 * 1024**2, description="free space beside the SQLite store below which senders are slowed"
    )
    drift_hook: str = Field("", description="address that is told what platforms send that no mapping knows")
    drift_hook_secret: SecretStr = Field(
        SecretStr(""), description="signs what it is told, by Standard Webhooks: env:NAME"
    )


class Pull(_Section):
    every: Duration = Field(60.0, description="time between two pulls")
    overlap: Duration = Field(600.0, description="how far each window reaches back over the one before")
    first: Duration = Field(86400.0, description="how far the very first pull reaches back")
    kinds: tuple[str, ...] = Field((), description="which kinds to pull; empty: all that the channel can")
    limit: Rate | None = Field(None, description="calls to the platform, such as 5/s")


class Tenant(_Section):
    mapping: str = Field(
        "", description="overlay that its shops have where the channel's folder has one of that name; a shop's own wins"
    )


class Shop(_Section):
    model_config = ConfigDict(extra="allow", frozen=True)
    channel: str = Field(description="the adapter: taobao, jd, douyin, shopify, generic ...")
    tenant: str = Field("default", description="whose shop it is")
    mapping: str = Field("", description="folder under mappings/channels, where it is not the channel's own")
    pull: Pull | Literal[False] = Field(
        default_factory=lambda: Pull(), description="windows; false switches pulling off"
    )

    @property
    def adapter_settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Retry(_Section):
    first: Duration = Field(2.0, description="wait before the second attempt")
    factor: float = Field(2.0, ge=1, description="each wait is so many times the one before")
    most: Duration = Field(600.0, description="longest wait")
    give_up_after: Duration = Field(86400.0, description="age at which a failing delivery becomes a dead letter")
    jitter: float = Field(0.2, ge=0, le=1, description="random share added to each wait")


class Breaker(_Section):
    failures: float = Field(0.5, gt=0, le=1, description="share of outages that opens the breaker")
    over: Duration = Field(60.0, description="window of the share")
    at_least: int = Field(10, ge=1, description="calls in the window before the share counts")
    open_for: Duration = Field(30.0, description="how long it stays open before a probe")


class Degrade(_Section):
    policy: Literal["wait", "hold", "assume"] = Field("wait", description="what an outage of this destination means")
    after: Duration = Field(300.0, description="how long a delivery must have failed before the policy acts")
    answer: str = Field("", description="assume: the reference that is recorded, marked for review")


class DestinationSection(_Section):
    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str = Field(description="the adapter: http, file")
    tenant: str = Field("", description="only documents of this tenant; empty: of all")
    limit: Rate | None = Field(None, description="deliveries started per unit of time, over all processes")
    in_flight: int = Field(32, ge=1, description="deliveries under way at once in one process")
    timeout: Duration = Field(10.0, description="longest wait for a whole answer")
    retry: Retry = Field(default_factory=lambda: Retry())
    breaker: Breaker = Field(default_factory=lambda: Breaker())
    degrade: Degrade = Field(default_factory=lambda: Degrade())
    sequence: Literal["strict", "latest"] = Field(
        "strict", description="latest: a newer document replaces waiting ones"
    )
    in_doubt: Literal["resend", "ask"] = Field(
        "resend", description="without look_up, after a lost answer: send again with the same key, or ask a person"
    )
    mapping: str = Field("", description="folder under mappings/destinations; empty: the canonical document")

    @property
    def adapter_settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Retention(_Section):
    raw: Duration = Field(0.0, description="age at which raw bodies of messages are let go; 0: never")
    attempts: Duration = Field(0.0, description="age at which attempts at finished deliveries are let go; 0: never")
    documents: Duration = Field(
        0.0, description="time without a change after which finished documents are let go with all about them; 0: never"
    )


class NotifierSection(_Section):
    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str = Field(description="the service: webhook, dingtalk, wecom, feishu")

    @property
    def adapter_settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Alerts(_Section):
    waiting: Duration = Field(900.0, description="age of a waiting message or delivery at which people are told")
    to: dict[str, NotifierSection] = Field(default_factory=dict, description="whom, by a name of your own")


class Route(_Section):
    on: str = Field(description="document kind: order, refund, shipment, stock, invoice")
    if_: str = Field("", alias="if", description="JMESPath over the canonical document; empty: always")
    to: tuple[str, ...] = Field(description="destinations")
    shops: tuple[str, ...] = Field((), description="only these shops; empty: all")
    sticky: bool = Field(True, description="later revisions go where an earlier one went, whatever `if` says then")


class Config(_Section):
    hub: HubSection = Field(default_factory=lambda: HubSection())
    shops: dict[str, Shop] = Field(default_factory=dict)
    alerts: Alerts = Field(default_factory=lambda: Alerts())
    retention: Retention = Field(default_factory=lambda: Retention())
    tenants: dict[str, Tenant] = Field(default_factory=dict)
    destinations: dict[str, DestinationSection] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    folder: Path = Field(Path(), exclude=True, description="where hub.toml lies; relative paths start here")

    @property
    def timeouts(self) -> dict[str, float]:
        """The longest wait for an answer of each destination, in seconds."""
        return {name: section.timeout for name, section in self.destinations.items()}


def load(path: Path) -> Config:
    """Read and validate hub.toml. Adapter settings and mappings are checked by hub.wiring on top of this."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); `hub init` writes one"]) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from error
    problems: list[str] = []
    resolved = resolve_secrets(data, path.parent, problems)
    try:
        config = Config.model_validate({**resolved, "folder": path.parent})
    except ValidationError as error:
        raise ConfigError(problems + explain(error, Config)) from error
    problems += _cross_check(config)
    if problems:
        raise ConfigError(problems)
    return config


def resolve_secrets(value: Any, folder: Path, problems: list[str], at: str = "") -> Any:
    """Replace "env:NAME" and "file:PATH" by what they name; what is missing is added to problems."""
    if isinstance(value, dict):
        return {k: resolve_secrets(v, folder, problems, f"{at}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [resolve_secrets(v, folder, problems, f"{at}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        name = value[4:]
        if not os.environ.get(name):
            problems.append(f"{at}: the environment variable {name} is not set (export {name}=...)")
        return os.environ.get(name, "-")
    if value.startswith("file:") and not value.startswith("file://"):
        try:
            return (folder / value[5:]).read_text(encoding="utf-8").strip()
        except OSError as error:
            problems.append(f"{at}: the file {value[5:]} cannot be read ({error.strerror})")
            return "-"
    return value


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """pydantic's findings as lines a person can act on, with the nearest known key for an unknown one."""
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        at = prefix + ".".join(str(p) for p in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _known_keys(model, item["loc"][:-1])
            near = difflib.get_close_matches(str(item["loc"][-1]), known, 1)
            lines.append(
                f"{at}: unknown key" + (f"; did you mean {near[0]!r}?" if near else f"; known: {_join(known)}")
            )
        elif item["type"] == "missing":
            lines.append(f"{at}: missing; add it to hub.toml")
        else:
            lines.append(f"{at}: {item['msg'].removeprefix('Value error, ')}")
    return lines


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Field names (aliases) of the model that lies at loc, as far as it can be told from annotations."""
    current: Any = model
    for part in loc:
        field = current.model_fields.get(str(part)) if hasattr(current, "model_fields") else None
        if field is not None:
            current = _model_in(field.annotation) or current
    fields = getattr(current, "model_fields", {})
    return [f.alias or n for n, f in fields.items() if not f.exclude]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found:
            return found
    return None


def _join(words: list[str]) -> str:
    return ", ".join(words) or "none"


def _cross_check(config: Config) -> list[str]:
    problems = []
    for number, route in enumerate(config.routes):
        for name in route.to:
            if name not in config.destinations:
                near = difflib.get_close_matches(name, list(config.destinations), 1)
                tail = f"; did you mean {near[0]!r}?" if near else f"; there are: {_join(list(config.destinations))}"
                problems.append(f"routes[{number}].to: no destination {name!r}{tail}")
        problems += [f"routes[{number}].shops: no shop {s!r}" for s in route.shops if s not in config.shops]
        if route.on not in ("order", "refund", "shipment", "stock", "invoice"):
            problems.append(
                f"routes[{number}].on: unknown kind {route.on!r}; one of order, refund, shipment, stock, invoice"
            )
    whose = sorted({shop.tenant for shop in config.shops.values()})
    problems += [
        f"tenants.{name}: no shop has tenant = {name!r}; there are: {_join(whose)}"
        for name in config.tenants
        if name not in whose
    ]
    for name in [*config.shops, *config.destinations]:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
            problems.append(f"{name!r}: names of shops and destinations take letters, digits, - and _ (at most 63)")
    return problems
