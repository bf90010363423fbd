"""The one place that builds everything from hub.toml, and says everything that is wrong with it at once."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.port import Channel, Notifier
from canonical.errors import ConfigError
from hub import adapting, renewal, wire
from hub import config as configuration
from hub.config import Config, DestinationSection, NotifierSection, Shop
from hub.delivering import Rendered, Target
from hub.flow import Flow
from hub.mapping.catalog import Catalog, Sources
from hub.receiving import ShopFront
from hub.routing import Routes
from hub.store import Store, mappings
from hub.store.opening import open_store


@dataclass(slots=True)
class Hub:
    """A hub that is ready to work."""

    config: Config
    store: Store
    catalog: Catalog
    shops: dict[str, ShopFront]
    targets: dict[str, Target]
    routes: Routes
    notifiers: dict[str, Notifier]


def build(path: Path, *, follow_files: bool = False, store: Store | None = None, catalog: Catalog | None = None) -> Hub:
    """Read hub.toml and build everything but connections. Raises ConfigError with all that is wrong.

    `follow_files`: take the mappings as they lie on disk, whatever was activated. `store` and `catalog` are taken in
    place of those that hub.toml names, where they are open already.
    """
    config = configuration.load(path)
    problems: list[str] = []
    store = store or open_store(config, problems)
    if catalog is None:
        catalog = open_catalog(config, problems, {} if follow_files else mappings.pins_at_start(store))
    overlays = {name: tenant.mapping for name, tenant in config.tenants.items()}
    base = config.folder
    shops = {n: f for n, s in config.shops.items() if (f := _shop(n, s, overlays, catalog, base, problems)) is not None}
    problems += _unused(overlays, shops)
    targets = {n: t for n, d in config.destinations.items() if (t := _target(n, d, catalog, base, problems))}
    routes = adapting.routes(config, problems)
    notifiers = {n: a for n, s in config.alerts.to.items() if (a := _notifier(n, s, base, problems))}
    problems += adapting.hook(config)
    if problems:
        store.close()
        raise ConfigError(problems)
    return Hub(config, store, catalog, shops, targets, routes, notifiers)


def start(hub: Hub) -> None:
    """Open the store, bring it up to date, take over tokens that an earlier run refreshed."""
    hub.store.prepare()
    with hub.store.look() as connection:
        for shop in hub.shops.values():
            renewal.restore(connection, shop, hub.config.hub.key)


def connect(hub: Hub, http: httpx.AsyncClient | None = None) -> tuple[Flow, httpx.AsyncClient]:
    """The hot path with its HTTP client (or a given one). To be called inside the event loop; close both."""
    mounts: dict[str, httpx.AsyncBaseTransport] = {}
    for target in hub.targets.values():
        transport = getattr(target.adapter, "transport", None)
        if transport is not None:
            mounts[f"{target.section.kind}://"] = transport()
    http = http or wire.client(mounts, hub.config.hub.networks)
    flow = Flow(hub.config, hub.store, hub.catalog, hub.routes, hub.shops, hub.targets, http)
    return flow, http


def open_catalog(config: Config, problems: list[str], pins: Mapping[str, Sources]) -> Catalog:
    """The mappings that hub.toml points at, and those that were activated (`pins`); what does not compile is added to
    problems."""
    catalog = Catalog(adapting.mappings_folder(config), pins)
    try:
        catalog.load()
    except ConfigError as error:
        problems += error.problems
        broken = [name for name in pins if any(f"/{name}.toml:" in problem for problem in error.problems)]
        problems += [f"{name}: the version in force does not load; hub mapping follow {name}" for name in broken]
    return catalog


def _unused(overlays: Mapping[str, str], shops: Mapping[str, ShopFront]) -> list[str]:
    """Overlays of tenants that no shop of theirs has: a name that is written wrong would otherwise change nothing."""
    used = {(front.tenant, front.overlay) for front in shops.values()}
    return [
        f"tenants.{tenant}.mapping: no channel of its shops has a mapping {overlay!r}, such as"
        f" mappings/channels/taobao/{overlay}.toml"
        for tenant, overlay in overlays.items()
        if overlay and shops and (tenant, overlay) not in used
    ]


def _shop(
    name: str, shop: Shop, overlays: Mapping[str, str], catalog: Catalog, base: Path, problems: list[str]
) -> ShopFront | None:
    adapter = adapting.adapter_class("channels", shop.channel, f"shops.{name}.channel", problems)
    if adapter is None:
        return None
    made = adapting.made(adapter, shop.adapter_settings, f"shops.{name}.", problems, base)
    folder, overlay = _mapping_of(name, shop, catalog, problems)
    if not shop.mapping and _has(catalog, folder, of_tenant := overlays.get(shop.tenant, "")):
        overlay = of_tenant
    if made is None:
        return None
    settings, channel = made

    def rebuild(fresh: Mapping[str, str]) -> Channel:
        fields = type(settings).model_fields
        secret = {k: SecretStr(v) if "Secret" in str(fields[k].annotation) else v for k, v in fresh.items()}
        renewed: Channel = adapting.make(adapter, settings.model_copy(update=secret))
        return renewed

    return ShopFront(name, shop.tenant, shop.channel, channel, folder, overlay, rebuild)


def _mapping_of(name: str, shop: Shop, catalog: Catalog, problems: list[str]) -> tuple[str, str]:
    """The folder of a shop's mappings, and the overlay on them: `mapping` may name either."""
    known = {n.split("/")[1] for n in catalog.names() if n.startswith("channels/")}
    folder = shop.mapping if shop.mapping in known else shop.channel
    overlay = shop.mapping if shop.mapping and shop.mapping not in known else ""
    if not known:
        return folder, overlay
    if folder not in known:
        problems.append(f"shops.{name}.channel: there are no mappings in mappings/channels/{folder}")
    elif overlay:
        try:
            catalog.channel(folder, "order", overlay)
        except ConfigError as error:
            near = difflib.get_close_matches(overlay, sorted(known), 1)
            tail = f"; did you mean the folder {near[0]!r}?" if near else f"; folders: {', '.join(sorted(known))}"
            problems += [f"shops.{name}.mapping: {p}{tail}" for p in error.problems]
    return folder, overlay


def _has(catalog: Catalog, folder: str, overlay: str) -> bool:
    """Whether a channel's folder has an overlay of that name, for orders or any other kind."""
    full = f"channels/{folder}/{overlay}"
    return bool(overlay) and any(name == full or name.startswith(f"{full}-") for name in catalog.names())


def _target(
    name: str, section: DestinationSection, catalog: Catalog, folder: Path, problems: list[str]
) -> Target | None:
    adapter = adapting.adapter_class("destinations", section.kind, f"destinations.{name}.kind", problems)
    if adapter is None:
        return None
    made = adapting.made(adapter, section.adapter_settings, f"destinations.{name}.", problems, folder)
    render = None
    if section.mapping:
        known = {n.split("/")[1] for n in catalog.names() if n.startswith("destinations/")}
        if known and section.mapping not in known:
            problems.append(
                f"destinations.{name}.mapping: no mapping folder mappings/destinations/{section.mapping};"
                f" there are: {', '.join(sorted(known))}"
            )
        render = _renderer(catalog, section.mapping)
    return None if made is None else Target(name, section, made[1], render)


def _notifier(name: str, section: NotifierSection, folder: Path, problems: list[str]) -> Notifier | None:
    adapter = adapting.adapter_class("notifiers", section.kind, f"alerts.to.{name}.kind", problems)
    made = adapter and adapting.made(adapter, section.adapter_settings, f"alerts.to.{name}.", problems, folder)
    return made[1] if made else None


def _renderer(catalog: Catalog, name: str) -> Callable[[str, Any], Rendered]:
    def render(kind: str, document: Any) -> Rendered:
        rendering = catalog.destination(name, kind)
        body, problems = rendering.render(document)
        return body, problems, rendering.version, rendering.root

    return render
