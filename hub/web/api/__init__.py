"""The REST API under /api/v1: the same nouns as the command."""

from fastapi import APIRouter

from hub.web.api import (
    books,
    deliveries,
    destinations,
    letters,
    mappings,
    orders,
    pulls,
    replays,
    tokens,
    watching,
    workbench,
)
from hub.web.problems import described

TAGS = [
    {"name": "orders", "description": "Canonical documents, and one order's whole story."},
    {"name": "deliveries", "description": "What was sent, is waiting or stuck."},
    {"name": "destinations", "description": "Their health, and what a person may do about it."},
    {"name": "dead letters", "description": "What could not go on: find, understand, mend, replay."},
    {"name": "pulls", "description": "Asking platforms for what changed."},
    {"name": "books", "description": "Balance, audit log, and requests whose sender was not proven."},
    {"name": "mappings", "description": "What is in force, what a message would become, and changing it."},
    {"name": "tokens", "description": "Who may use this API."},
    {"name": "operations", "description": "Webhooks, probes and metrics."},
]

router = APIRouter(prefix="/api/v1", responses=described(401, 403, 422, 500, 503))
for part in (orders, deliveries, destinations, letters, replays, pulls, books, mappings, workbench, watching, tokens):
    router.include_router(part.router)
