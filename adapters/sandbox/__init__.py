"""The sandbox: honest imitations of Taobao, JD, Douyin, Shopify, an own site, and of receivers, on loopback.

They let anybody try a configuration without accounts, and are what the demo and the tests run against. They are
written from the platforms' public documentation and check what the real ones check: signatures, clocks, tokens,
windows, page sizes, fields that have to be named, call limits. They are not the real ones: what passes here still has
to be tried there.

    python -m adapters.sandbox --port 9100 --seed 7 --orders 400

    /taobao/router/rest      /jd/routerjson      /douyin/<method path>      /shopify/admin/api/<version>/graphql.json
    /site/api/orders         /receivers/{erp,wms,tax}/documents             /control/...  (see control.py)

Where to look: `platform.py` is the frame, with one file a channel beside it; `pushing.py` delivers pushes until they
are acknowledged; `receiver.py` stands for ERP, WMS and tax; `deals/` is how each platform shows an order, `traffic/`
what happens to orders; `feed.py` plays it; `server.py` builds all of it.
"""

from adapters.sandbox.server import Sandbox, Setup, build, configuration, serve

__all__ = ["Sandbox", "Setup", "build", "configuration", "serve"]
