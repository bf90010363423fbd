"""The store that a hub.toml names."""

from hub.config import Config
from hub.store.engine import Store
from hub.store.vault import master_key


def open_store(config: Config, problems: list[str]) -> Store:
    """The store, not yet brought up to date. A hub.key that is no key is added to problems, and does without."""
    key = config.hub.key
    try:
        master_key(key)
    except ValueError:
        problems.append("hub.key: not a key; `hub token key` makes one")
        key = ""
    tenants = {shop.tenant for shop in config.shops.values()}
    return Store(config.hub.store, folder=config.folder, key=key, tenants=tenants)
