"""The hub.toml that `hub init` writes."""

TEMPLATE = """# The hub's configuration: shops, destinations, routes. Check it with `hub check`, then `hub run`.
# Secrets are never written here: "env:NAME" reads an environment variable, "file:PATH" a file.
# Durations, rates and sizes carry their unit: "30s", "10m", "24h"; "50/s", "600/m"; "10MiB".
# Delete the shops and destinations that you do not have.

[hub]
store = "sqlite:///var/hub.db"           # one process; for several: "env:HUB_STORE" = postgresql+psycopg://user@host/db
timezone = "Asia/Shanghai"               # what people read; stored times are UTC
listen = "127.0.0.1:8080"                # webhooks at /hooks/<shop>, API at /api/v1
# mappings = "mappings"                  # your own folder of mappings, instead of the one that comes with the hub
# key = "env:HUB_KEY"                    # seals refreshed platform tokens in the store; `hub token key` makes one
# drift_hook = "https://..."              # is told what platforms send that no mapping knows (hub mapping drift)

# ---- shops: one table each; the name is yours ----------------------------------------------------------------------

[shops.tb-main]
channel = "taobao"
app_key = "env:TB_KEY"
app_secret = "env:TB_SECRET"
session = "env:TB_SESSION"
pull = { every = "30s", overlap = "10m" }

[shops.jd-main]
channel = "jd"
app_key = "env:JD_KEY"
app_secret = "env:JD_SECRET"
access_token = "env:JD_TOKEN"
# refresh_token = "env:JD_REFRESH"       # needs hub.key
pull = { every = "60s", overlap = "10m" }

[shops.dy-main]
channel = "douyin"
app_key = "env:DY_KEY"
app_secret = "env:DY_SECRET"
access_token = "env:DY_TOKEN"
pull = { every = "30s", overlap = "10m" }

[shops.shopify-main]
channel = "shopify"
shop = "example.myshopify.com"
access_token = "env:SHOPIFY_TOKEN"
client_secret = "env:SHOPIFY_SECRET"     # proves webhooks
pull = { every = "60s", overlap = "10m" }

[shops.own-site]                         # your own shop, or any platform without an adapter
channel = "generic"
# mapping = "mysite"                     # your folder under mappings/channels; without it: mappings/channels/generic
pull = false                             # only pushes; a list to pull goes into [shops.own-site.source.order]
signature = { scheme = "standard-webhooks", secret = "env:SITE_SECRET" }

# ---- destinations --------------------------------------------------------------------------------------------------

[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
secret = "env:ERP_SECRET"                # Standard Webhooks signature: whsec_<base64>
limit = "50/s"
in_flight = 32
timeout = "10s"
retry = { first = "2s", factor = 2, most = "10m", give_up_after = "24h" }
breaker = { failures = 0.5, over = "60s", at_least = 10, open_for = "30s" }
# mapping = "kingdee"                    # mappings/destinations/<name>; without it the canonical document is sent
# ok_if = "status == `200` && body.success"      # for systems that answer 200 to everything
# look_up = { url = "https://erp.example.com/documents/{idempotency_key}" }   # asked before a lost answer is sent again

[destinations.archive]
kind = "file"
path = "var/archive"                     # JSON Lines, one file a day

# ---- routes: all that fit are taken; `if` is JMESPath over the canonical document ----------------------------------

[[routes]]
on = "order"
to = ["erp", "archive"]
# if = "shippable"                       # what a WMS wants

[[routes]]
on = "refund"
to = ["erp", "archive"]
"""
