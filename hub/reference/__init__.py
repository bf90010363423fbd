"""The generated part of the documentation: reference pages, and the table of adapters in the READMEs.

Every page is made from what the hub itself uses (models, settings, grammar tables, mappings, commands), so that a page
cannot tell anything else than the code does. `pages` says what the files should hold, `stale` which of them do not.
"""

from hub.reference.pages import pages, stale, write

__all__ = ["pages", "stale", "write"]
