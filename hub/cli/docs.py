"""`hub docs`: the generated part of the documentation, for those who work on the hub."""

from pathlib import Path

import typer

from hub.cli.output import PROBLEMS, WELL, err, errors, fail, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("docs")(docs)


def docs(
    context: typer.Context,
    check: bool = typer.Option(False, "--check", help="Write nothing; exit 1 if a page is not up to date."),
    folder: Path | None = typer.Option(None, "--folder", help="The hub's source folder; default: where it runs from."),
) -> None:
    """Write the generated pages of the documentation anew. For those who change the hub itself."""
    import hub
    from hub import reference  # the generators load every adapter: only this command waits for that

    root = folder or Path(hub.__file__).parents[1]
    if not (root / "docs").is_dir() or not (root / "README.md").is_file():
        fail(f"{root} holds no documentation", hint="run it from a checkout of the hub's source")
    command = context.find_root().command
    with errors():
        changed = reference.stale(root, command) if check else reference.write(root, command)
    for name in changed:
        (err if check else out).print(f"{'stale' if check else 'wrote'} {name}", markup=False)
    if check and changed:
        fail(f"{len(changed)} page(s) are not up to date", hint="hub docs")
    if not changed:
        out.print("every generated page is up to date")
    raise typer.Exit(PROBLEMS if check and changed else WELL)
