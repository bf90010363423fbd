"""Notifier `wecom`: a group robot of WeCom (企业微信). Source: WeCom developer centre, group robot configuration."""

from datetime import datetime
from typing import ClassVar

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.answers import must_be_taken
from adapters.port import Alert, Talk

_LATER = {45009, -1}
"""Over the limit, system busy."""
_MOST = 4000
"""Bytes of markdown; WeCom takes 4096."""


class WecomSettings(BaseModel):
    """One robot; its key is the only secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field("https://qyapi.weixin.qq.com/cgi-bin/webhook/send", description="address of the robot interface")
    key: SecretStr = Field(description="key of the robot's address")


class Wecom:
    """Markdown, cut to the bytes that WeCom takes."""

    title: ClassVar[str] = "WeCom group robot"
    Settings: ClassVar[type[WecomSettings]] = WecomSettings
    per_minute: ClassVar[int] = 18

    def __init__(self, settings: WecomSettings) -> None:
        self._settings = settings

    def tell(self, alert: Alert, now: datetime) -> Talk[None]:
        """Post it. Business errors come with HTTP 200."""
        lines = "\n".join(f"> {line}" for line in alert.lines)
        text = f"**{alert.title}**\n`{alert.id}`\n{lines}"
        body = {"msgtype": "markdown", "markdown": {"content": cut(text, _MOST)}}
        url = httpx.URL(self._settings.url, params={"key": self._settings.key.get_secret_value()})
        headers = {"Content-Type": "application/json"}
        answer = yield httpx.Request("POST", url, headers=headers, content=orjson.dumps(body))
        must_be_taken(answer, "errcode", _LATER, "Look at the robot's key.")


def cut(text: str, most: int) -> str:
    """So much of a text that its UTF-8 has at most that many bytes, on a character's border."""
    return text.encode()[:most].decode("utf-8", "ignore")


ADAPTER = Wecom
