"""Modal's Cls, Jupyter-first, on your own machines.

>>> import modal_nb as modal
>>> app = modal.App("demo")
>>> @app.cls()
... class Model:
...     size: int = modal.parameter(default=1)
...     @modal.enter()
...     def load(self): ...
...     @modal.method()
...     def predict(self, x): ...
>>> Model(size=2).predict.remote(3)

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

from modal_nb.version import __version__ as __version__

# as typing has it, without loading typing: every small process of ours imports this file
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from modal_nb import exception
    from modal_nb.client.app import App
    from modal_nb.client.client import Client
    from modal_nb.client.cls import Cls
    from modal_nb.client.decorators import (
        asgi_app,
        batched,
        concurrent,
        enter,
        exit,
        fastapi_endpoint,
        method,
        web_server,
        wsgi_app,
    )
    from modal_nb.client.dicts import Dict
    from modal_nb.client.parameter import parameter
    from modal_nb.client.queues import Queue
    from modal_nb.client.screens import enable_output
    from modal_nb.client.showing import panel
    from modal_nb.client.typed import Function, FunctionCall
    from modal_nb.exception import Error
    from modal_nb.runtime.context import current_function_call_id, current_input_id, interact, is_local
    from modal_nb.spec.image import Image
    from modal_nb.spec.network import Proxy
    from modal_nb.spec.overrides import UNSET
    from modal_nb.spec.retries import Retries
    from modal_nb.spec.secret import Secret
    from modal_nb.spec.storage import CloudBucketMount, NetworkFileSystem, Volume

__all__ = [
    "UNSET",
    "App",
    "Client",
    "CloudBucketMount",
    "Cls",
    "Dict",
    "Error",
    "Function",
    "FunctionCall",
    "Image",
    "NetworkFileSystem",
    "Proxy",
    "Queue",
    "Retries",
    "Secret",
    "Volume",
    "asgi_app",
    "batched",
    "concurrent",
    "current_function_call_id",
    "current_input_id",
    "enable_output",
    "enter",
    "exception",
    "exit",
    "fastapi_endpoint",
    "interact",
    "is_local",
    "method",
    "panel",
    "parameter",
    "web_server",
    "wsgi_app",
]

#: where each name lives; "" for a module
_HOMES = {
    "App": "client.app",
    "Client": "client.client",
    "CloudBucketMount": "spec.storage",
    "Cls": "client.cls",
    "Dict": "client.dicts",
    "Error": "exception",
    "Function": "client.method",
    "FunctionCall": "client.function_call",
    "Image": "spec.image",
    "NetworkFileSystem": "spec.storage",
    "Proxy": "spec.network",
    "Queue": "client.queues",
    "Retries": "spec.retries",
    "Secret": "spec.secret",
    "UNSET": "spec.overrides",
    "Volume": "spec.storage",
    "asgi_app": "client.decorators",
    "batched": "client.decorators",
    "concurrent": "client.decorators",
    "current_function_call_id": "runtime.context",
    "current_input_id": "runtime.context",
    "enable_output": "client.screens",
    "enter": "client.decorators",
    "exit": "client.decorators",
    "fastapi_endpoint": "client.decorators",
    "interact": "runtime.context",
    "is_local": "runtime.context",
    "method": "client.decorators",
    "panel": "client.showing",
    "parameter": "client.parameter",
    "web_server": "client.decorators",
    "wsgi_app": "client.decorators",
    # names that Modal had once: using them says the new word
    "Stub": "client.removed",
    "build": "client.removed",
    "web_endpoint": "client.removed",
}


def __getattr__(name: str) -> Any:
    if name == "exception":
        return import_module("modal_nb.exception")
    if name not in _HOMES:
        raise AttributeError(f"module 'modal_nb' has no attribute {name!r}")
    value = getattr(import_module(f"modal_nb.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext modal_nb``: the magics ``%%container``, ``%modal``, and ``%debug`` in containers."""
    import_module("modal_nb.views.magics").load(ipython)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
