"""Notifier `webhook`: JSON to an address of the merchant's own, signed by Standard Webhooks."""

from datetime import datetime
from typing import ClassVar

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.port import Alert, Talk
from canonical.errors import Unavailable


class WebhookSettings(BaseModel):
    """An address that takes {type, timestamp, data: {id, title, lines}}."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field(min_length=1, description="address that is posted to")
    secret: SecretStr | None = Field(None, description="signs it, by Standard Webhooks: whsec_...")


class Webhook:
    """Any 2xx is a receipt."""

    title: ClassVar[str] = "an address of your own"
    Settings: ClassVar[type[WebhookSettings]] = WebhookSettings
    per_minute: ClassVar[int] = 600

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings

    def tell(self, alert: Alert, now: datetime) -> Talk[None]:
        """Post it."""
        data = {"id": alert.id, "title": alert.title, "lines": list(alert.lines)}
        body = orjson.dumps({"type": "hub.alert", "timestamp": now.isoformat(), "data": data})
        stamp = int(now.timestamp())
        headers = {"Content-Type": "application/json", "webhook-id": alert.id, "webhook-timestamp": str(stamp)}
        if self._settings.secret is not None:
            secret = self._settings.secret.get_secret_value()
            headers["webhook-signature"] = signing.standard_webhooks(secret, alert.id, stamp, body)
        response = yield httpx.Request("POST", self._settings.url, headers=headers, content=body)
        if not response.is_success:
            raise Unavailable(f"HTTP {response.status_code}", code="alert.not_taken")


ADAPTER = Webhook
