"""The settings of a home: an environment variable wins over ``config.toml`` in the home folder, that over the default.

Everything that has settings reads them here, and the command line shows and changes them.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.protocol.stream import PAYLOAD_BOUND

Value = int | float | str

FILE = "config.toml"
#: a queue shorter than what one `.map` may have on its way would never take it
LEAST_QUEUE = 1000


class Source(StrEnum):
    """Where a value comes from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. Numbers are positive, or 0 where ``zero`` says so."""

    name: str
    kind: type[int | float | str]
    #: None: what ``otherwise`` says, which only the supervisor can work out
    default: Value | None
    #: with its unit
    about: str
    otherwise: str = ""
    least: int = 0
    #: why not less
    because: str = ""
    choices: tuple[str, ...] = ()
    zero: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"MODAL_NB_{self.name.upper()}"

    def parse(self, text: str) -> Value:
        """A value as people write it. InvalidError is a clause: what is wrong with it."""
        try:
            value = self.kind(text)
        except ValueError:
            raise InvalidError(f"{text!r} {self._wanted()}") from None
        return self._checked(value, text)

    def check(self, value: Any) -> Value:
        """A value as TOML has it; InvalidError as ``parse``."""
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:
            raise InvalidError(f"{value!r} {self._wanted()}")
        return self._checked(value, value)

    def _checked(self, value: Value, written: object) -> Value:
        if not (value in self.choices if isinstance(value, str) else self._in_range(value)):
            raise InvalidError(f"{written!r} {self._wanted()}")
        if not isinstance(value, str) and value < self.least:
            raise InvalidError(f"{value} is less than {self.least}, {self.because}")
        return value

    def _in_range(self, value: float) -> bool:
        return (value > 0 or (self.zero and value == 0)) and math.isfinite(value)

    def _wanted(self) -> str:
        if self.choices:
            return f"is none of {', '.join(self.choices)}"
        if self.zero:
            return f"is neither a positive {self.kind.__name__} nor 0"
        return f"is not a positive {self.kind.__name__}"


@dataclass(frozen=True, slots=True)
class Found:
    """The value that counts; None: as the machine has it."""

    setting: Setting
    value: Value | None
    source: Source


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            "max_containers",
            int,
            None,
            "containers of all pools together",
            otherwise="4 per core, at least 8",
        ),
        Setting("max_cpu", float, None, "cores that requests may add up to", otherwise="all cores"),
        Setting("max_memory", int, None, "MiB that requests may add up to", otherwise="the free memory"),
        Setting(
            "queue_bound",
            int,
            100_000,
            "inputs that one pool may have waiting",
            least=LEAST_QUEUE,
            because="the inputs that one .map may have on its way",
        ),
        Setting(
            "max_payload",
            float,
            PAYLOAD_BOUND / 2**20,
            "MiB of the arguments or the result of one input",
        ),
        Setting("stop_grace", float, 30.0, "seconds for running inputs and exit hooks at an end"),
        Setting("idle_exit", float, 60.0, "seconds after which a supervisor that nobody needs ends"),
        Setting(
            "linger",
            float,
            300.0,
            "seconds that idle containers stay when their notebook's kernel ends; 0: none",
            zero=True,
        ),
        Setting(
            "durability",
            str,
            "full",
            "what stored calls survive: full, a power cut; normal, any end of a process",
            choices=("normal", "full"),
        ),
        Setting("results_keep_days", float, 7.0, "days that stored results are kept"),
        Setting("results_bound", int, 10_240, "MiB that all stored results may take"),
    )
}


def setting_named(name: str) -> Setting:
    """InvalidError lists the names there are."""
    try:
        return SETTINGS[name]
    except KeyError:
        raise InvalidError(f"there is no setting {name!r}; there are: {', '.join(SETTINGS)}") from None


def config(home: Path, environ: Mapping[str, str]) -> dict[str, Found]:
    """All settings by name. InvalidError names the one that does not fit, its value, where that is, and the remedy."""
    stored = _read(home / FILE)
    return {name: _found(setting, home, environ, stored) for name, setting in SETTINGS.items()}


def _found(setting: Setting, home: Path, environ: Mapping[str, str], stored: Mapping[str, Any]) -> Found:
    text = environ.get(setting.variable)
    if text is not None:
        try:
            return Found(setting, setting.parse(text), Source.ENVIRONMENT)
        except InvalidError as error:
            raise InvalidError(f"{setting.variable}={error}: correct it or unset it") from None
    if setting.name in stored:
        try:
            return Found(setting, setting.check(stored[setting.name]), Source.FILE)
        except InvalidError as error:
            raise InvalidError(
                f"{setting.name}={error}, in {home / FILE}: `modal-nb config set {setting.name} ...` or "
                f"`modal-nb config unset {setting.name}`"
            ) from None
    return Found(setting, setting.default, Source.DEFAULT)


def _read(file: Path) -> dict[str, Any]:
    try:
        stored = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file} is not TOML ({error}): correct it or remove it") from None
    for name in stored:
        if name not in SETTINGS:
            raise InvalidError(
                f"there is no setting {name!r}, in {file}: `modal-nb config unset {name}`; there are: "
                f"{', '.join(SETTINGS)}"
            )
    return stored
