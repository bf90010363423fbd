"""The deployment that chaos is played against: one shop that pushes, three receivers; simulated also one that pulls."""

SECRET = "chaos"  # noqa: S105  # between processes on loopback
FIRST_TOKEN = "token-0"  # noqa: S105  # of an imitated platform

_CONFIG = """
[hub]
store = "{store}"
listen = "127.0.0.1:{port}"
lease = "1s"
{hub}

[shops.site]
channel = "generic"
signature = {{ scheme = "hmac-sha256-hex", header = "x-signature", secret = "{secret}" }}

[destinations.keyed]
kind = "http"
url = "{base}/keyed"
{common}

[destinations.asked]
kind = "http"
url = "{base}/asked"
look_up = {{ url = "{base}/asked/{{idempotency_key}}" }}
{common}

[destinations.plain]
kind = "http"
url = "{base}/plain"
in_doubt = "ask"
{common}

[[routes]]
on = "order"
to = ["keyed", "asked", "plain"]

[[routes]]
on = "refund"
to = ["keyed", "asked", "plain"]
"""
_COMMON = """idempotency_header = "Idempotency-Key"
timeout = "1s"
retry = { first = "100ms", factor = 2, most = "1s", give_up_after = "5m" }
breaker = { failures = 0.6, over = "2s", at_least = 6, open_for = "300ms" }"""
_PLATFORM = """
[shops.market]
channel = "generic"
mapping = "generic"
access_token = "{token}"
pull = {{ every = "500ms", overlap = "{overlap}", first = "10m" }}

[shops.market.token]
url = "{base}/market/token"

[shops.market.source.order]
url = "{base}/market/orders"
query = {{ token = "{{access_token}}" }}

[shops.market.source.refund]
url = "{base}/market/refunds"
ids = "numbers"
fetch = "{base}/market/refunds/{{key}}"
query = {{ token = "{{access_token}}" }}
"""


def real(store: str, port: int, base: str) -> str:
    """Return hub.toml for real processes; `base` is the address of the receivers."""
    return _CONFIG.format(store=store, port=port, secret=SECRET, base=base, common=_COMMON, hub="")


def simulated(store: str, key: str, overlap: str) -> str:
    """Return hub.toml for simulated ones; with a key bodies are encrypted and tokens renewed."""
    base = "http://there"
    text = _CONFIG.format(store=store, port=1, secret=SECRET, base=base, common=_COMMON, hub=f'key = "{key}"')
    return text + _PLATFORM.format(base=base, token=FIRST_TOKEN, overlap=overlap)
