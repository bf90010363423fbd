"""Notifier `dingtalk`: a custom robot of a DingTalk group. Source: DingTalk open platform, custom robot access."""

import hashlib
import hmac
from base64 import b64encode
from datetime import datetime
from typing import ClassVar

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.answers import must_be_taken
from adapters.port import Alert, Talk

_LATER = {130101, 90030, -1}
"""Sent too fast, the robot's limit, system busy: they go away by themselves."""


class DingtalkSettings(BaseModel):
    """One robot."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field("https://oapi.dingtalk.com/robot/send", description="address of the robot interface")
    token: SecretStr = Field(description="access_token of the robot's address")
    secret: SecretStr | None = Field(None, description="SEC..., where the robot demands a signature")


class Dingtalk:
    """Markdown with the alert's id in its text: a robot knows no idempotency."""

    title: ClassVar[str] = "DingTalk group robot"
    Settings: ClassVar[type[DingtalkSettings]] = DingtalkSettings
    per_minute: ClassVar[int] = 18

    def __init__(self, settings: DingtalkSettings) -> None:
        self._settings = settings

    def tell(self, alert: Alert, now: datetime) -> Talk[None]:
        """Post it. Business errors come with HTTP 200."""
        asked = {"access_token": self._settings.token.get_secret_value()}
        if self._settings.secret is not None:
            stamp = int(now.timestamp() * 1000)
            asked |= {"timestamp": str(stamp), "sign": sign(self._settings.secret.get_secret_value(), stamp)}
        lines = "\n".join(f"- {line}" for line in alert.lines)
        text = f"### {alert.title}\n{lines}\n\n`{alert.id}`"
        body = {"msgtype": "markdown", "markdown": {"title": alert.title, "text": text[:18000]}}
        url = httpx.URL(self._settings.url, params=asked)
        headers = {"Content-Type": "application/json"}
        answer = yield httpx.Request("POST", url, headers=headers, content=orjson.dumps(body))
        must_be_taken(answer, "errcode", _LATER, "Look at the robot's token and settings.")


def sign(secret: str, stamp: int) -> str:
    """HMAC-SHA256 over "timestamp (ms), newline, secret" with the secret as key, as base64."""
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return b64encode(digest).decode()


ADAPTER = Dingtalk
