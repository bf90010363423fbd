"""Encryption at rest: bodies of messages, documents and deliveries, with a key per tenant.

hub.key seals the tenants' keys; they seal the data (AES-256-GCM). What is sealed begins with a mark and the key's id,
so that rows of before, and of other keys, stay readable. Without hub.key nothing is sealed, and everything still is
readable. The columns do it by themselves (`Sealed`), for the store whose transaction is open.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary, TypeDecorator

from canonical.errors import ConfigError
from hub.host import HOST

MARK = b"\x01"
"""First byte of what is sealed; zlib begins with 0x78 and JSON with a bracket."""
PEOPLE = "#people"
_ID, _NONCE = 8, 12


class Of(bytes):
    """Bytes on their way into the store, and the tenant whose they are."""

    tenant: str = ""


def of(tenant: str, raw: bytes) -> Of:
    """Mark bytes with their tenant."""
    marked = Of(raw)
    marked.tenant = tenant
    return marked


class Vault:
    """The keys of one store. `load` takes rows of tenant_keys."""

    def __init__(self, master: str) -> None:
        self._master = master_key(master)
        self._ciphers: dict[bytes, AESGCM] = {}
        self._current: dict[str, bytes] = {}
        self._people = b""
        self.reload: Callable[[], None] = lambda: None

    @property
    def seals(self) -> bool:
        """Whether what is written is encrypted."""
        return self._master is not None and bool(self._current)

    def load(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the keys, the oldest first. Raises ConfigError where hub.key is not the one that sealed them."""
        for row in rows:
            secret, number = self._opened(row["sealed"]), bytes.fromhex(row["id"])
            if row["tenant"] == PEOPLE:
                self._people = secret
                continue
            self._ciphers[number] = AESGCM(secret)
            if row["retired_at"] is None:
                self._current[row["tenant"]] = number

    def missing(self, tenants: Iterable[str]) -> list[str]:
        """Which keys have to be made: one for hashing, and with hub.key one for each tenant and one for the rest."""
        wanted = [PEOPLE] if not self._people else []
        if self._master is not None:
            wanted += [tenant for tenant in sorted({"", *tenants}) if tenant not in self._current]
        return wanted

    def fresh(self, tenant: str, now: float) -> dict[str, Any]:
        """A new key as a row."""
        secret = HOST.get().random_bytes(32)
        sealed = self._master.encrypt(secret) if self._master is not None else secret
        return {"id": HOST.get().random_bytes(_ID).hex(), "tenant": tenant, "sealed": sealed, "created_at": now}

    def resealed(self, row: Mapping[str, Any]) -> bytes | None:
        """A key sealed by the first hub.key, if it was sealed by a later one or not at all."""
        if self._master is None:
            return None
        secret = self._opened(row["sealed"])
        return self._master.encrypt(secret)

    def seal(self, raw: bytes, tenant: str) -> bytes:
        """Encrypt for a tenant; as it is where there is no hub.key."""
        number = self._current.get(tenant) or self._current.get("")
        if self._master is None or number is None:
            return raw
        nonce = HOST.get().random_bytes(_NONCE)
        return MARK + number + nonce + self._ciphers[number].encrypt(nonce, raw, number)

    def open(self, stored: bytes) -> bytes:
        """Decrypt what is sealed. Raises ConfigError where its key is not here."""
        if not stored.startswith(MARK):
            return stored
        number = stored[1 : 1 + _ID]
        if number not in self._ciphers:
            self.reload()
        cipher = self._ciphers.get(number)
        if cipher is None:
            raise ConfigError([f"hub.key: the store holds data sealed with key {number.hex()}, which is not here"])
        start = 1 + _ID + _NONCE
        try:
            return cipher.decrypt(stored[1 + _ID : start], stored[start:], number)
        except InvalidTag as error:
            raise ConfigError(["the store holds sealed data that was changed by somebody else"]) from error

    def hashed(self, tenant: str, kind: str, value: str) -> str:
        """What a phone, name or address is found by: the same for equal ones, and nothing that could be read."""
        text = f"{tenant}\0{kind}\0{value}".encode()
        return hmac.digest(self._people, text, "sha256").hex()

    def _opened(self, sealed: bytes) -> bytes:
        if len(sealed) == 32:  # made before there was a hub.key
            return sealed
        if self._master is None:
            raise ConfigError(["hub.key: the store's keys are sealed; write the key that sealed them"])
        try:
            return self._master.decrypt(sealed)
        except InvalidToken as error:
            raise ConfigError(
                ["hub.key: not the key that sealed this store's keys; add the old one behind a comma"]
            ) from error


def master_key(text: str) -> MultiFernet | None:
    """hub.key: one key, or several with commas between, of which the first seals and all open. Raises ValueError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return MultiFernet([Fernet(part.encode()) for part in parts]) if parts else None


ACTIVE: ContextVar[Vault | None] = ContextVar("vault", default=None)
"""The vault of the store whose transaction is open here."""


class Sealed(TypeDecorator[bytes]):
    """Bytes that are encrypted on their way in and decrypted on their way out."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Any) -> bytes | None:
        vault = ACTIVE.get()
        if value is None:
            return None
        return bytes(value) if vault is None else vault.seal(bytes(value), getattr(value, "tenant", ""))

    def process_result_value(self, value: Any, dialect: Any) -> bytes | None:
        if value is None:
            return None
        vault, stored = ACTIVE.get(), bytes(value)
        return vault.open(stored) if vault is not None else stored
