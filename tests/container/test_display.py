"""What notebooks show of inputs: displays, figures and widgets, as if the code ran in the cell; scripts see text."""

from __future__ import annotations

import threading

import pytest

from modal_nb.protocol.output import Out
from tests.container.callers import enter, method, text_of, value
from tests.container.test_attach import client_of


class Thing:
    def __repr__(self):
        return "a thing"

    def _repr_html_(self):
        return "<b>thing</b>"


class Showing:
    """Code of a user: it imports nothing that a notebook gives."""

    @enter
    def ready(self):
        self.seen = []

    @method
    def shell(self):
        found = get_ipython()  # noqa: F821
        return (
            type(found).__name__,
            "IPKernelApp" in found.config,
            found.kernel.get_parent()["header"]["msg_id"],
        )

    @method
    def no_shell(self):
        try:
            return repr(get_ipython())
        except NameError as error:
            return str(error)

    @method
    def show(self):
        print("before")
        handle = display(Thing(), display_id="one")  # noqa: F821
        handle.update("other")
        from IPython.display import clear_output

        clear_output(wait=True)
        print("after")

    @method
    def bytes(self):
        import sys

        sys.stdout.buffer.write(b"raw\n")
        display(Thing())  # noqa: F821

    @method
    def on_thread(self):
        thread = threading.Thread(target=display, args=(Thing(),))  # noqa: F821
        thread.start()
        thread.join()

    @method
    async def woven(self):
        display(Thing())  # noqa: F821

    @method
    def figure(self):
        from matplotlib import pyplot as plt

        plt.plot([1, 2])
        return len(plt.get_fignums())

    @method
    def odd(self):
        from IPython.display import display

        display({"text/plain": "x", "application/json": {"key": object()}}, raw=True)
        return "went on"

    @method
    def slider(self):
        import ipywidgets

        self.slider, self.label = ipywidgets.IntSlider(), ipywidgets.Label("none")

        def moved(change):
            print("moved to", change["new"])
            self.label.value = f"at {change['new']}"

        self.slider.observe(moved, "value")
        return self.slider.comm.comm_id, self.label.comm.comm_id

    @method
    def value_of_slider(self):
        return self.slider.value

    @method
    def output_widget(self):
        import ipywidgets

        out = ipywidgets.Output()
        with out:
            print("taken in")
        return out.comm.comm_id

    @method
    def flood(self):
        handle = display("0", display_id="live")  # noqa: F821
        for number in range(2000):
            handle.update(str(number))


def shown(heard):
    return [one for one in heard if one.msg_type and one.msg_type not in {"stream", "call_reply"}]


def test_called_from_a_notebook_there_is_its_shell(called):
    container = called(Showing)
    name, has_section, parent = value(container.call(1, "shell")[-1])
    assert (name, has_section) == ("ZMQInteractiveShell", True)
    assert parent.startswith("test_")


def test_where_no_notebook_has_called_the_name_of_the_shell_is_not_defined(called):
    container = called(Showing)
    assert value(container.call(1, "no_shell", out=Out.TEXT)[-1]) == "name 'get_ipython' is not defined"
    assert value(container.call(2, "shell")[-1])[0] == "ZMQInteractiveShell"


def test_a_console_and_an_input_each_see_their_own(called):
    container = called(Showing)
    container.call(1, "show")
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=60)
        seen = []
        hook = lambda message: seen.append((message["msg_type"], message["content"]))
        reply = client.execute_interactive("print(self.seen); display(1); 5", timeout=60, output_hook=hook)
        assert reply["content"]["status"] == "ok"
        assert [kind for kind, _ in seen if kind not in {"status", "execute_input"}] == [
            "stream",
            "display_data",
            "execute_result",
        ]
        heard = container.call(2, "bytes")
        assert text_of(heard) == "raw\n"
        (one,) = shown(heard)
        while (message := client.get_iopub_msg(timeout=60))["msg_type"] != "display_data":
            pass
        assert message["content"]["data"] == one.data["data"]


def test_displays_come_with_the_text_around_them(called):
    container = called(Showing)
    heard = container.call(1, "show")
    assert [one.text or one.msg_type for one in heard] == [
        "before\n",
        "display_data",
        "update_display_data",
        "clear_output",
        "after\n",
        "call_reply",
    ]
    first, update, clear = shown(heard)
    assert first.data["data"] == {"text/plain": "a thing", "text/html": "<b>thing</b>"}
    assert first.data["transient"] == update.data["transient"] == {"display_id": "one"}
    assert clear.data == {"wait": True}


def test_who_calls_after_a_notebook_sees_text(called):
    container = called(Showing)
    container.call(1, "show")
    heard = container.call(2, "woven", out=Out.TEXT)
    assert (text_of(heard), shown(heard)) == ("a thing\n", [])
    assert shown(container.call(3, "show", out=Out.NONE)) == []


def test_a_terminal_sees_the_repr(called):
    heard = called(Showing).call(1, "woven", out=Out.TEXT)
    assert text_of(heard) == "a thing\n"
    assert shown(heard) == []


@pytest.mark.parametrize("name", ["on_thread", "woven"])
def test_threads_and_coroutines_show_too(called, name):
    (one,) = shown(called(Showing).call(1, name))
    assert one.data["data"]["text/html"] == "<b>thing</b>"


def test_figures_left_open_are_shown_at_the_end_and_to_no_other_call(called):
    container = called(Showing)
    assert shown(container.call(1, "figure", out=Out.NONE)) == []
    heard = container.call(2, "figure")
    assert value(heard[-1]) == 1
    (one,) = shown(heard)
    assert one.data["data"]["image/png"].startswith("iVBOR")
    assert len(shown(container.call(3, "figure"))) == 1


def test_what_cannot_be_packed_costs_a_line(called):
    heard = called(Showing).call(1, "odd")
    assert value(heard[-1]) == "went on"
    assert "cannot send this display_data (text/plain, application/json) to the notebook" in text_of(
        heard, "stderr"
    )


def test_widgets_hear_and_answer_after_their_input_has_ended(called):
    container = called(Showing)
    heard = container.call(1, "slider")
    slider, label = value(heard[-1])
    opened = [one.data["comm_id"] for one in heard if one.msg_type == "comm_open"]
    assert {slider, label} <= set(opened)
    state = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    container.tell("comm_msg", {"comm_id": slider, "data": state})
    heard = container.until(lambda one: one.msg_type == "comm_msg" and one.data["comm_id"] == label)
    assert text_of(heard) == "moved to 7\n"
    changed = [one.data for one in heard if one.msg_type == "comm_msg" and one.data["comm_id"] == label]
    assert [one["data"]["state"] for one in changed] == [{"value": "at 7"}]
    assert {one.packet.number for one in heard} == {1}
    container.tell("comm_close", {"comm_id": slider})
    assert value(container.call(2, "value_of_slider")[-1]) == 7


def test_an_output_widget_names_the_call_that_it_takes_in(called):
    heard = called(Showing).call(1, "output_widget")
    assert value(heard[-1])
    said = [one.text or one.data["data"]["state"] for one in heard if one.msg_type in {"comm_msg", "stream"}]
    assert said == [{"msg_id": "test_1"}, "taken in\n", {"msg_id": ""}]


def test_of_a_flood_of_updates_the_newest_is_shown(called):
    container = called(Showing)
    heard = container.call(1, "flood")
    heard += container.until(lambda one: one.msg_type == "update_display_data" and "'1999'" in str(one.data))
    assert len(shown(heard)) < 500


def test_a_container_whose_kernel_came_up_ends_in_order(called):
    container = called(Showing)
    container.call(1, "show")
    container.drain()
    assert container.read_exit().code == 0
