"""`python -m adapters.sandbox --port N --seed S --orders N`: the sandbox as a process, until SIGTERM.

Its first line on standard output is JSON: {"listening": "http://127.0.0.1:N"}.
"""

import argparse
import asyncio
import json
import sys

from adapters.sandbox.pushing import WAITS
from adapters.sandbox.server import Setup, listen, serve_on


def main() -> None:
    """Parse, announce, serve."""
    parser = argparse.ArgumentParser(prog="python -m adapters.sandbox", description="Imitated platforms and receivers.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same traffic")
    parser.add_argument("--orders", type=int, default=400, help="orders over all five shops")
    parser.add_argument("--spread", type=int, default=15, help="seconds over which they begin")
    parser.add_argument("--tries", type=int, default=len(WAITS) + 1, help="how often a push is tried")
    given = parser.parse_args()
    with listen(given.host, given.port) as listener:
        host, port = listener.getsockname()[:2]
        sys.stdout.write(json.dumps({"listening": f"http://{host}:{port}"}) + "\n")
        sys.stdout.flush()
        setup = Setup(
            seed=given.seed,
            orders=given.orders,
            spread_over=given.spread,
            push_waits=WAITS[: given.tries - 1],
        )
        asyncio.run(serve_on(listener, setup))


if __name__ == "__main__":
    main()
