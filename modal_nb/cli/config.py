"""``modal-nb config``: settings, where each comes from, and the file that keeps them."""

from __future__ import annotations

import os
from typing import Annotated

import tomlkit
import typer
from tomlkit.exceptions import TOMLKitError

from modal_nb.cli.misuse import Misuse
from modal_nb.cli.output import Json, commands, print_json, print_table
from modal_nb.client import launcher
from modal_nb.exception import InvalidError
from modal_nb.protocol.config import FILE, SETTINGS, Found, Setting, Source, config, setting_named
from modal_nb.protocol.connection import Places, places, write_private

group = commands(
    "Settings: an environment variable wins over the file in the home folder, that over the default."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `modal-nb config show` has it.")]


@group.command()
def show(*, json: Json = False) -> None:
    """Show every setting, its value, and where that comes from."""
    where = places()
    try:
        found = config(where.home, os.environ)
    except InvalidError as error:
        raise Misuse(str(error)) from None
    source = Source.ENVIRONMENT if os.environ.get("MODAL_NB_HOME") else Source.DEFAULT
    if json:
        print_json(
            [
                {"name": "home", "value": str(where.home), "source": source, "variable": "MODAL_NB_HOME"},
                *(
                    {"name": name, "value": one.value, "source": one.source, "variable": one.setting.variable}
                    for name, one in found.items()
                ),
            ]
        )
        return
    rows = [("home", str(where.home), source, "the folder of one supervisor; MODAL_NB_HOME alone sets it")]
    rows += [(name, _shown(one), one.source, one.setting.about) for name, one in found.items()]
    print_table(["setting", "value", "from", "what it is"], rows, whole=["value"])


@group.command("set")
def change(
    name: Name, value: Annotated[str, typer.Argument(metavar="VALUE", help="A number, or a word.")]
) -> None:
    """Keep a value in the file. A supervisor that runs already goes on with the old one."""
    setting = _setting(name)
    try:
        checked = setting.parse(value)
    except InvalidError as error:
        raise Misuse(f"{name}={error}: {setting.about}") from None
    where = places()
    document = _document(where)
    document[name] = checked
    _write(where, document)
    typer.echo(f"{name} = {_plain(checked)}")
    _hint(where, setting)


@group.command()
def unset(name: Name) -> None:
    """Take a value out of the file, so that the default counts."""
    where = places()
    document = _document(where)
    # a name that only another version knows can be taken out, too
    setting = SETTINGS.get(name) if name in document else _setting(name)
    if name not in document:
        typer.echo(f"{name} is not set in {where.home / FILE}")
        return
    del document[name]
    _write(where, document)
    typer.echo(f"{name} is not set any more")
    if setting is not None:
        _hint(where, setting)


@group.command()
def path() -> None:
    """Print where the file is, or would be."""
    typer.echo(str(places().home / FILE))


def _setting(name: str) -> Setting:
    if name == "home":
        raise Misuse("home=... cannot stand in a file that lies in it: set MODAL_NB_HOME in the environment")
    try:
        return setting_named(name)
    except InvalidError as error:
        raise Misuse(str(error)) from None


def _document(where: Places) -> tomlkit.TOMLDocument:
    """The file with its comments; an empty one if there is none."""
    file = where.home / FILE
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise Misuse(f"{file} is not TOML ({error}): correct it or remove it") from None


def _write(where: Places, document: tomlkit.TOMLDocument) -> None:
    where.make()
    write_private(where.home / FILE, tomlkit.dumps(document).encode())


def _hint(where: Places, setting: Setting) -> None:
    """What is between this change and its effect."""
    if setting.variable in os.environ:
        typer.echo(f"{setting.variable} is set in the environment and wins: unset it")
    if launcher.find(where) is not None:
        typer.echo("A supervisor runs; it reads this when it is started anew: modal-nb stop")


def _shown(found: Found) -> str:
    return found.setting.otherwise if found.value is None else _plain(found.value)


def _plain(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
