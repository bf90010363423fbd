"""How a demo or a test steers the sandbox: a small API of its own, on the same port.

POST /control/start {"hub_url": "http://127.0.0.1:8080"[, "shops": {"taobao": "tb-main"}]}   begins the traffic
GET  /control/report                                 progress, pushes, what is expected, every receiver's counts
GET  /control/stories                                every story with its label and fate
GET  /control/audit/<receiver>[?mended=site/unknown_word]   number by number: missing, unexpected, differing
POST /control/receiver/<name> {behaviour}            from now on; see receiver.Behaviour for the members
POST /control/platform/<code> {"days": [...], "limit": 20, "expire_token": true}   bad days from now on
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.audit import audit
from adapters.sandbox.feed import Feed
from adapters.sandbox.platform import BadDay, Platform, Throttle, Weather, answer
from adapters.sandbox.receiver import Behaviour, Receiver


class Control:
    """The steering of one sandbox. `begin` writes the stories for this moment and starts them."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        receivers: Mapping[str, Receiver],
        begin: Callable[[str, Mapping[str, str]], Feed],
    ) -> None:
        self.platforms, self.receivers = platforms, receivers
        self._begin = begin
        self._feed: Feed | None = None

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/start", self.start, methods=["POST"]),
            Route("/report", self.report, methods=["GET"]),
            Route("/stories", self.stories, methods=["GET"]),
            Route("/audit/{name}", self.audit, methods=["GET"]),
            Route("/receiver/{name}", self.receiver, methods=["POST"]),
            Route("/platform/{code}", self.platform, methods=["POST"]),
        ]

    async def start(self, request: Request) -> Response:
        given = await _given(request)
        if not given or not given.get("hub_url"):
            return answer({"error": 'say where the hub is: {"hub_url": "http://127.0.0.1:8080"}'}, 400)
        if self._feed is None:
            self._feed = self._begin(str(given["hub_url"]), given.get("shops") or {})
        return answer({"started": True, "steps": self._feed.total})

    async def report(self, request: Request) -> Response:  # an endpoint's signature
        books = {name: receiver.report() for name, receiver in self.receivers.items()}
        story = self._feed.report() if self._feed else {"done": False}
        return answer({"started": self._feed is not None, **story, "receivers": books})

    async def stories(self, request: Request) -> Response:  # an endpoint's signature
        stories = self._feed.stories if self._feed else {}
        return answer([s.as_dict() for told in stories.values() for s in told])

    async def audit(self, request: Request) -> Response:
        receiver = self.receivers.get(request.path_params["name"])
        if receiver is None or self._feed is None:
            return answer({"error": f"nothing has started, or none of {', '.join(self.receivers)}"}, 404)
        stories = (story for told in self._feed.stories.values() for story in told)
        mended = request.query_params.getlist("mended")
        return answer(audit(receiver, stories, self._feed.shops, mended))

    async def receiver(self, request: Request) -> Response:
        """Members that are left out keep their present value."""
        receiver = self.receivers.get(request.path_params["name"])
        given = await _given(request)
        if receiver is None or given is None:
            return answer({"error": f"there are: {', '.join(self.receivers)}"}, 404 if receiver is None else 400)
        try:
            receiver.behave(Behaviour.model_validate({**receiver.behaviour.model_dump(), **given}))
        except ValidationError as error:
            return answer({"error": str(error)}, 400)
        return answer(receiver.behaviour.model_dump())

    async def platform(self, request: Request) -> Response:
        platform = self.platforms.get(request.path_params["code"])
        given = await _given(request)
        if platform is None or given is None:
            return answer({"error": f"there are: {', '.join(self.platforms)}"}, 404 if platform is None else 400)
        try:
            days = [BadDay(**day) for day in given.get("days", [])]
            limit = int(given["limit"]) if given.get("limit") else None
        except (TypeError, ValueError) as error:
            return answer({"error": str(error)}, 400)
        if "days" in given:
            platform.weather = Weather(days, platform.clock())
        if limit:
            platform.throttle = Throttle(limit)
        if given.get("expire_token"):
            platform.shop.account.expire()
        return answer({"days": len(platform.weather.days)})

    async def close(self) -> None:
        if self._feed is not None:
            await self._feed.stop()


async def _given(request: Request) -> dict[str, Any] | None:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
