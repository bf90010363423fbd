"""Notifier `feishu`: a custom bot of a Feishu or Lark group. Source: Feishu open platform, custom bot guide."""

import hashlib
import hmac
from base64 import b64encode
from datetime import datetime
from typing import Any, ClassVar

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.answers import must_be_taken
from adapters.port import Alert, Talk

_LATER = {11232, 9499}
"""Frequency limited, too many requests."""


class FeishuSettings(BaseModel):
    """One bot."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field("https://open.feishu.cn/open-apis/bot/v2/hook", description="Lark: https://open.larksuite.com/...")
    token: SecretStr = Field(description="last part of the bot's address")
    secret: SecretStr | None = Field(None, description="where the bot demands a signature")


class Feishu:
    """Plain text; the signature is in the body."""

    title: ClassVar[str] = "Feishu or Lark group bot"
    Settings: ClassVar[type[FeishuSettings]] = FeishuSettings
    per_minute: ClassVar[int] = 90

    def __init__(self, settings: FeishuSettings) -> None:
        self._settings = settings

    def tell(self, alert: Alert, now: datetime) -> Talk[None]:
        """Post it. Business errors come with HTTP 200."""
        text = "\n".join([alert.title, *alert.lines, alert.id])
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": text[:5000]}}
        if self._settings.secret is not None:
            stamp = int(now.timestamp())
            body |= {"timestamp": str(stamp), "sign": sign(self._settings.secret.get_secret_value(), stamp)}
        url = f"{self._settings.url.rstrip('/')}/{self._settings.token.get_secret_value()}"
        headers = {"Content-Type": "application/json"}
        answer = yield httpx.Request("POST", url, headers=headers, content=orjson.dumps(body))
        must_be_taken(answer, "code", _LATER, "Look at the bot's token and settings.")


def sign(secret: str, stamp: int) -> str:
    """HMAC-SHA256 over nothing, with "timestamp (s), newline, secret" as key, as base64."""
    return b64encode(hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()


ADAPTER = Feishu
