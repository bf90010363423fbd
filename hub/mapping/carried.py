"""What a destination's mapping reads of the document: what it neither reads nor drops would be lost in silence, and
rows that read personal data must not show it in their problems."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from canonical.personal import personal_paths
from hub.mapping.grammar import Grammar
from hub.mapping.provenance import Path
from hub.mapping.reads import Reads, reads_of
from hub.mapping.rows import MappingFile
from hub.mapping.shape import Field, fields_of

DEEP = ("totals", "receiver", "buyer", "lines")
"""Fields whose own fields must be carried one by one, unless the whole is read or dropped."""


def uncarried(mapping: MappingFile, known: Mapping[str, Field], grammar: Grammar) -> None:
    """Note every canonical field that the mapping neither reads nor drops, and drops that name no field."""
    reads = reads_of(mapping)
    _hide(reads, mapping.kind)
    place = mapping.raw.at("drops")
    paths = list(_paths(known))
    dropped = {tuple(d.replace("[]", "").split(".")) for d in mapping.drops}
    names = [".".join(p) for p in paths]
    for drop in sorted(".".join(d) for d in dropped):
        if drop not in names:
            near = difflib.get_close_matches(drop, names, 1)
            grammar.say(place, f"drops names no field {drop!r}" + (f", did you mean {near[0]}?" if near else ""))
    lost = [p for p in paths if not reads.has(p) and not any(p[: len(d)] == d for d in dropped)]
    lost = [p for p in lost if not any(p[: len(q)] == q and p != q for q in lost)]
    if lost:
        listed = ", ".join(".".join(p) for p in lost)
        grammar.say(place, f"neither carried nor listed in drops: {listed}")


def _hide(reads: Reads, kind: str) -> None:
    """Rows that read personal data must not show it; what an expression made up may hold anything."""
    personal = [tuple(p.replace("[]", "").split(".")) for p in personal_paths(kind)]
    for entry in reads.rows:
        if entry.row is not None and (entry.made or any(entry.reads(path) for path in personal)):
            entry.row.target = replace(entry.row.target, personal=True)


def _paths(known: Mapping[str, Field]) -> Iterator[Path]:
    for name, target in known.items():
        if name == "schema":
            continue
        yield (name,)
        if name in DEEP and target.model is not None:
            yield from ((name, inner) for inner in fields_of(target.model))
