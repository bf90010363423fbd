"""All generated files together: what they should hold, which are stale, and writing them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adapters
from hub.reference import adapter_table, canonical, channels, commands, configuration, errors, mapping

READMES = {"README.md": "en", "README.zh-CN.md": "zh"}


def pages(root: Path, command: Any) -> dict[str, str]:
    """What each generated file should hold, by its path from the project's root.

    `command` is the `hub` command itself (its click group).
    """
    made = {
        "docs/reference/cli.md": commands.page(command),
        "docs/reference/configuration.md": configuration.page(),
        "docs/reference/errors.md": errors.page(root),
        "docs/reference/mapping.md": mapping.page(),
        "docs/reference/canonical.md": canonical.page(),
    }
    catalog = channels.shipped(root)
    for code in adapters.codes("channels"):
        made[f"docs/reference/channels/{code}.md"] = channels.page(code, catalog)
    for code in channels.by_settings(catalog):
        made[f"docs/reference/channels/{code}.md"] = channels.page_by_settings(code, catalog)
    for name, language in READMES.items():
        made[name] = adapter_table.fill((root / name).read_text(encoding="utf-8"), language)
    index = "docs/index.md"
    made[index] = adapter_table.fill_index((root / index).read_text(encoding="utf-8"), channels.by_settings(catalog))
    return made


def stale(root: Path, command: Any) -> list[str]:
    """Files that are missing, differ from what they should hold, or belong to an adapter that is gone."""
    wanted = pages(root, command)
    differing = [name for name, text in wanted.items() if _held(root / name) != text]
    return sorted([*differing, *_left_over(root, wanted)])


def write(root: Path, command: Any) -> list[str]:
    """Bring every generated file up to date. Returns the paths that changed."""
    wanted = pages(root, command)
    changed = stale(root, command)
    for name in changed:
        path = root / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def _held(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _left_over(root: Path, wanted: dict[str, str]) -> Iterator[str]:
    for path in (root / "docs" / "reference" / "channels").glob("*.md"):
        name = path.relative_to(root).as_posix()
        if name not in wanted:
            yield name
