"""``ServedClass``: what mypy takes for a base of every served class. Nothing imports this at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, dataclass_transform

from modal_nb.client.cls import Cls
from modal_nb.client.parameter import parameter
from modal_nb.client.typed_class import InstanceAutoscalerFace, OfClass, PanelFace, Unbound, WaitFace

P = ParamSpec("P")

if TYPE_CHECKING:

    def of_class(method: Unbound[P]) -> OfClass[P]: ...

    @dataclass_transform(field_specifiers=(parameter,), kw_only_default=True)
    class ServedClass:
        """The members that are not the user's own."""

        with_options = of_class(Cls.with_options)
        with_concurrency = of_class(Cls.with_concurrency)
        with_batching = of_class(Cls.with_batching)
        panel: PanelFace
        wait_for: WaitFace
        update_autoscaler: InstanceAutoscalerFace
