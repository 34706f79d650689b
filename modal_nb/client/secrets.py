"""Where the values of secrets are read: on the notebook's machine, when a pool is first used."""

from __future__ import annotations

import os
from pathlib import Path

from modal_nb.exception import InvalidError, NotFoundError
from modal_nb.spec.options import Options
from modal_nb.spec.secret import DotEnv, GivenValues, LocalEnviron, Secret, check_free


def environment(options: Options) -> dict[str, str]:
    """The variables that containers of these options get; later ones win.

    Secrets in their order, then ``env``. InvalidError or NotFoundError names what is missing, never a
    value. The values belong into the message that starts a container and nowhere else.
    """
    variables: dict[str, str] = {}
    for secret in options.secrets:
        variables |= resolve(secret)
    return variables | dict(options.env)


def resolve(secret: Secret) -> dict[str, str]:
    """The variables of one secret; InvalidError for a name that is reserved."""
    variables = _read(secret)
    check_free(repr(secret), variables)
    return variables


def _read(secret: Secret) -> dict[str, str]:
    source = secret.source
    if isinstance(source, GivenValues):
        return dict(source.items)
    if isinstance(source, LocalEnviron):
        return _local(source)
    if isinstance(source, DotEnv):
        return _dotenv(source)
    raise NotFoundError(
        f"Secret {source.name!r} not found: this version of modal_nb keeps no secrets by name; use "
        f"Secret.from_dict, "
        "from_local_environ or from_dotenv"
    )


def _local(source: LocalEnviron) -> dict[str, str]:
    missing = [name for name in source.names if name not in os.environ]
    if missing:
        raise InvalidError(
            f"Secret.from_local_environ: {', '.join(map(repr, missing))} not set in the local "
            f"environment; set it before "
            "the class is first used"
        )
    return {name: os.environ[name] for name in source.names}


def _dotenv(source: DotEnv) -> dict[str, str]:
    start = Path(source.path) if source.path is not None else Path.cwd()
    candidates = (
        [start]
        if start.is_file()
        else [folder / source.filename for folder in (start, *start.resolve().parents)]
    )
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise NotFoundError(
            f"Secret.from_dotenv: no {source.filename!r} in {str(start)!r} or a folder above it"
        )
    return parse_dotenv(file.read_text(encoding="utf-8"))


def parse_dotenv(text: str) -> dict[str, str]:
    """``NAME=value`` lines, with comments, ``export`` and quotes; double quotes know escapes."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if name.startswith("#") or not equals or not name.strip():
            continue
        variables[name.strip()] = _value(value.strip())
    return variables


def _value(text: str) -> str:
    quote = text[:1]
    if quote in {"'", '"'} and (end := text.find(quote, 1)) > 0:
        inner = text[1:end]
        return inner.encode("latin-1", "backslashreplace").decode("unicode_escape") if quote == '"' else inner
    return text.split(" #", 1)[0].rstrip()
