"""The `hub` command: one file a noun."""

from hub.cli.app import main

__all__ = ["main"]
