"""The keywords of ``@app.cls`` and ``@app.function``: their help text and their old spellings."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from modal_nb.exception import DeprecationError, InvalidError, UsageError
from modal_nb.spec import checks

F = TypeVar("F", bound=Callable[..., Any])

HELP = """

    Options, all by keyword; InvalidError names one that does not fit. What the back end cannot honour is
    refused by
    name when the app starts or the pool is first used, never ignored.

    image: what the containers' file system holds; default: the app's.
    env, secrets: environment variables; later ones win: the app's secrets, these secrets, then env.
    gpu: "T4", "A100:2", or a list in order of preference.
    cpu, memory: cores and MiB that one container asks for, or a (request, limit) pair. Requests count
    together.
    ephemeral_disk: MiB of scratch space.
    volumes, network_file_systems: absolute path -> what is mounted there.
    min_containers: kept up even when idle (0). max_containers: cap (the machine-wide limit).
    buffer_containers: extra idle ones while the pool is active (0).
    scaledown_window: idle seconds before a container stops, 2 to 3600 (60).
    retries: extra attempts, an int or modal_nb.Retries (none).
    timeout: seconds that one attempt of an input may run, up to a day (300). Waiting does not count.
    startup_timeout: seconds for boot, imports and enter hooks (as timeout).
    proxy, block_network, restrict_modal_access, i6pn: what containers may reach.
    cloud, region, routing_region, nonpreemptible: where containers run.
    enable_memory_snapshot: start containers from the state that enter(snap=True) hooks made, where possible.
    single_use_containers: a container serves one input and ends.
    include_source: containers may import what the notebook imports (as the app, True).
    serialized: accepted; here every class travels by value.
    experimental_options: a dict."""

#: what older versions of Modal called it
_RENAMED = {
    "keep_warm": "`keep_warm` was renamed: use `min_containers`",
    "concurrency_limit": "`concurrency_limit` was renamed: use `max_containers`",
    "container_idle_timeout": "`container_idle_timeout` was renamed: use `scaledown_window`",
    "allow_concurrent_inputs": "use `@modal_nb.concurrent(max_inputs=...)` below the decorator instead",
    "interactive": "`interactive` is gone: containers can be attached to at any time",
}


def documented(function: F) -> F:
    """Adds the text on options to a docstring."""
    function.__doc__ = (function.__doc__ or "") + HELP
    return function


def collect(decorator: str, local: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords among the locals of a decorator, after refusing what is none.

    ``*positional`` and ``**others`` exist in the signature only so that these errors can name the remedy.
    """
    if local["positional"]:
        what = local["positional"][0]
        raise UsageError(
            f"Positional arguments are not allowed in @{decorator}, got {what!r}. Did you forget "
            f"parentheses? "
            f"Write @{decorator}()."
        )
    others = dict(local["others"])
    max_inputs = others.pop("max_inputs", None)
    for name in others:
        raise _no_keyword(decorator, name, local)
    given = {name: value for name, value in local.items() if name not in {"self", "positional", "others"}}
    if max_inputs is not None:
        _check_one_input(max_inputs)
        given["single_use_containers"] = True
    return given


def _check_one_input(max_inputs: Any) -> None:
    """``max_inputs=1`` is an old spelling that still works, told at the line of the decorator."""
    if checks.integer("max_inputs", max_inputs, 1) > 1:
        raise InvalidError(
            f"`max_inputs` of the decorator can only be 1, not {max_inputs}: a container that serves one input and "
            f"ends, now `single_use_containers=True`. For several inputs at a time put "
            f"@modal_nb.concurrent(max_inputs={max_inputs}) below the decorator."
        )
    warnings.warn(
        "`max_inputs=1` was renamed: use `single_use_containers=True`", DeprecationError, stacklevel=4
    )


def _no_keyword(decorator: str, name: str, local: Mapping[str, Any]) -> Exception:
    if name in _RENAMED:
        return DeprecationError(_RENAMED[name])
    sentence = f"@{decorator} got an unexpected keyword argument {name!r}"
    if name == "name":
        return TypeError(f"{sentence}: the class's own name is its name")
    close = difflib.get_close_matches(
        name, [known for known in local if known not in {"self", "positional", "others"}]
    )
    return TypeError(f"{sentence}; did you mean {close[0]!r}?" if close else sentence)
