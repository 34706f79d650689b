"""What makes an app, a class or an object show itself in a notebook; views, a floor above, are loaded only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modal_nb.client import attachment, conditions, subject, visits
from modal_nb.client.dual import dual

if TYPE_CHECKING:
    from modal_nb.client.attachment import Attachment
    from modal_nb.client.cards import Card
    from modal_nb.client.method import Function
    from modal_nb.client.obj import Obj
    from modal_nb.views.display import Panel


class Shown:
    """A mixin: the last expression of a cell shows the live panel, and ``panel()`` makes one."""

    __slots__ = ()

    def panel(self) -> Panel:
        """A live panel of the containers, with their autoscaler's controls; shows itself in a notebook.

        Where there is no front end for widgets it is a table, or one line of text. Starts nothing.
        """
        return _panel(self._subject())

    def _subject(self) -> subject.Subject:
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return _mimebundle(self._subject(), repr(self))


class ObjFaces:
    """``obj.panel()``, ``wait_for()`` and ``attach()``: looked up only after the names of the user's class."""

    NAMES = ("attach", "panel", "wait_for")

    def __init__(self, obj: Obj) -> None:
        self._obj = obj
        self._subject = subject.of_obj(obj)

    def attach(self, container: str = "") -> Attachment:
        """One of this instance's containers as a Jupyter kernel: connection file, console command, client.

        From then on a Jupyter server that allows external kernels lists it: for consoles, notebooks and the debugger of
        JupyterLab. ``container``: this one ("ct-..."); default: an idle one, else a busy one.
        NotFoundError where there is none: nothing is started.
        """
        (place,) = visits.places(self._obj, container)
        return attachment.attach(place)

    def panel(self) -> Panel:
        """A live panel of this instance's containers, with their autoscaler's controls.

        Shows itself in a notebook; where there is no front end for widgets it is a table, or one line of
        text. Starts nothing.
        """
        return _panel(self._subject)

    @dual
    def wait_for(
        self,
        *,
        containers: int | None = None,
        state: str | None = None,
        queued: int | None = None,
        running: int | None = None,
        timeout: float | None = 30.0,
    ) -> None:
        """Wait until this instance's pool is in such a state, and return.

        ``containers``: how many live, or with ``state`` are "starting", "entering", "idle", "busy",
        "draining" or "dead"; ``queued`` and ``running``: inputs. Python's TimeoutError after ``timeout``
        seconds (None: never) says what is there instead. ``await obj.wait_for.aio(...)`` does the same.
        """
        wanted = conditions.Condition.declared(
            containers=containers, state=state, queued=queued, running=running
        )
        conditions.wait(self._subject, wanted, timeout)

    @wait_for.awaited
    async def _wait_for(self, *, timeout: float | None = 30.0, **wanted: Any) -> None:  # noqa: ASYNC109 - ours
        await conditions.wait_async(self._subject, conditions.Condition.declared(**wanted), timeout)


class EitherFace:
    """``panel`` or ``wait_for`` of a looked-up instance: whether its class has a method of that name is not known yet.
    Called it is ours, by ``.remote`` and the like it is the method.
    """

    def __init__(self, face: Any, method: Function) -> None:
        self._face = face
        self._method = method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._face(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._face if name == "aio" else self._method, name)

    def __repr__(self) -> str:
        return repr(self._face)


def panel(*, client: Any = None) -> Panel:
    """A live panel of everything that this home's supervisor runs, whoever started it: deployed apps, other notebooks.

    Shows itself in a notebook, with the controls of every autoscaler; where there is no front end for widgets it is
    a table, or one line of text. Starts nothing: where no supervisor runs it says so. ``client``: a
    ``modal_nb.Client(home=...)`` for another home. InvalidError for what is no Client.
    """
    return _panel(subject.of_everything(client))


def card_of(made: Callable[[], Card], text: str) -> Any:
    """What ``display`` of something shows that has no panel: a card; ``text`` is its line."""
    from modal_nb.views import display  # noqa: PLC0415 - a floor above, and slow to load

    return display.card(made, text)


def mimebundle_of(obj: Obj) -> Any:
    """What ``display(obj)`` shows."""
    return _mimebundle(subject.of_obj(obj), repr(obj))


def _panel(about: subject.Subject) -> Panel:
    from modal_nb.views import display  # noqa: PLC0415 - a floor above, and slow to load

    return display.panel(about)


def _mimebundle(about: subject.Subject, text: str) -> Any:
    from modal_nb.views import display  # noqa: PLC0415 - a floor above, and slow to load

    return display.mimebundle(about, text)
