"""What code in containers shows and asks appears in the cell that called it, as if it ran there."""

from __future__ import annotations

import re

import pytest

from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook, shown

COLOURS = re.compile(r"\x1b\[[\d;]*m")
SET_UP = """
import asyncio, sys, threading, time
from pathlib import Path
import modal_nb as modal
from tqdm.auto import tqdm

app = modal.App("relay")

@app.cls(max_containers=1)
class Model:
    @modal.enter()
    def load(self):
        print("loading")

    @modal.method()
    def say(self):
        print("one")
        print("two", file=sys.stderr)
        print("three", end="")
        return 3

    @modal.method()
    def show(self):
        from IPython.display import HTML, clear_output
        clear_output(wait=True)
        display(HTML("<b>bold</b>"))
        handle = display("first", display_id=True)
        handle.update("second")

    @modal.method()
    def figure(self):
        import matplotlib.pyplot as plt
        plt.plot([1, 2, 3])

    @modal.method()
    def ask(self):
        import getpass
        return input("name? "), getpass.getpass("password? ")

    @modal.method()
    def debug(self):
        hidden = 41
        breakpoint()
        return hidden + 1

    @modal.method()
    def usurp(self, comm_id):
        import comm
        mine = comm.create_comm(target_name="jupyter.widget", comm_id=comm_id)
        mine.send({"method": "update", "state": {"value": 66}, "buffer_paths": []})
        mine.close()
        comm.create_comm(target_name="new", comm_id="of its own").close()

    @modal.method()
    def forge(self):
        from modal_nb.runtime.context import process
        caller = process.pass_on()
        caller.show("status", {"execution_state": "idle"}, {}, ())
        caller.show("input_request", {"prompt": "no number"}, {}, ())
        caller.show("board", {"key": "k", "text": "", "html": "<script>", "last": True}, {}, ())
        print("goes on")

    @modal.method()
    def late(self, gate):
        def go():
            while not Path(gate).exists():
                time.sleep(0.005)
            print("late")
        threading.Thread(target=go).start()

    @modal.method()
    def flood(self):
        for number in range(50_000):
            print("a line of a flood", number)
        return "done"

    @modal.method()
    def slider(self):
        import ipywidgets
        slider, label = ipywidgets.IntSlider(), ipywidgets.Label("0")
        slider.observe(lambda change: setattr(label, "value", str(change["new"])), "value")
        display(slider, label)

    @modal.method()
    def bar(self):
        return sum(tqdm(range(100), mininterval=0))

    @modal.method()
    def odd(self):
        display({"text/plain": "x", "application/json": object()}, raw=True)
        return "goes on"

@app.cls(max_containers=1)
class Outer:
    @modal.method()
    def call(self):
        print("outside")
        answered = Model().ask.remote()
        Model().say.remote()
        return answered

model = Model()
"""


@pytest.fixture(scope="module")
def notebook(home, tmp_path_factory):
    with Notebook(tmp_path_factory.mktemp("relay")) as notebook:
        notebook.run(SET_UP)
        notebook.run("model.say.remote();")
        yield notebook


def test_text_comes_before_the_result_and_in_order(notebook):
    found = shown(notebook.messages("model.say.remote()"))
    assert found[:3] == [("stdout", "one\n"), ("stderr", "two\n"), ("stdout", "three")]
    assert found[3] == ("execute_result", {"text/plain": "3"})


def test_what_enter_hooks_print_is_shown_to_who_waits_for_them(notebook):
    text = "other = Model.with_options(timeout=77)()\nother.say.remote();"
    assert shown(notebook.messages(text))[0] == ("stdout", "loading\none\n")


def test_displays_their_updates_and_clear_output(notebook):
    kinds = [kind for kind, _ in shown(notebook.messages("model.show.remote()"))]
    assert kinds == ["clear_output", "display_data", "display_data", "update_display_data"]


def test_a_figure_needs_no_show(notebook):
    ((kind, data),) = shown(notebook.messages("model.figure.remote()"))
    assert kind == "display_data"
    assert "image/png" in data


def test_input_and_getpass_ask_in_the_calling_cell(notebook):
    assert notebook.messages("answered = model.ask.remote()", ["Ada", "secret"])
    assert notebook.value("answered") == ("Ada", "secret")


def test_pdb_in_the_container_talks_to_the_calling_cell(notebook):
    messages = notebook.messages("answer = model.debug.remote()", ["p hidden", "hidden = 1", "continue"])
    text = "".join(words for kind, words in shown(messages) if kind in {"stdout", "stderr"})
    assert "41" in text
    assert "return hidden + 1" in COLOURS.sub("", text)
    assert notebook.value("answer") == 2


def test_where_nobody_can_answer_input_is_an_error_and_no_hang(notebook):
    with pytest.raises(CellFailed, match=r"input"):
        notebook.run("model.ask.remote()")
    with pytest.raises(CellFailed, match=r"nobody waits|input"):
        notebook.run("call = model.ask.spawn()\ntime.sleep(0.5)\ncall.get()")


def test_a_thread_that_prints_later_prints_into_its_cell(notebook, tmp_path):
    gate = tmp_path / "gate"
    cell = notebook.messages(f"model.late.remote({str(gate)!r})")[0]["parent_header"]["msg_id"]
    gate.touch()
    found = []

    def said():
        found.append(notebook.client.get_iopub_msg(timeout=30))
        return "".join(words for _, words in shown(found, cell))

    until(lambda: said().endswith("\n"))  # the end of the line may come by itself
    assert shown(found, cell) == [("stdout", "late\n")]


def test_a_flood_is_cut_and_the_whole_is_in_the_logs(notebook):
    messages = notebook.messages("flooded = model.flood.spawn()\nflooded.get()")
    text = "".join(words for kind, words in shown(messages) if kind in {"stdout", "stderr"})
    assert len(text) < 700_000
    assert "left out" in text
    assert notebook.value("sum(1 for line in flooded.logs())") == 50_000


def test_a_widget_answers_the_front_end_after_its_input_has_ended(notebook):
    messages = notebook.messages("model.slider.remote()")
    opened = {
        m["content"]["data"]["state"]["_model_name"]: m for m in messages if m["msg_type"] == "comm_open"
    }
    slider, label = (opened[name]["content"]["comm_id"] for name in ("IntSliderModel", "LabelModel"))
    cell = messages[0]["parent_header"]["msg_id"]
    data = {"method": "update", "state": {"value": 42}, "buffer_paths": []}
    request = notebook.client.session.msg("comm_msg", {"comm_id": slider, "data": data})
    notebook.client.shell_channel.send(request)
    found = []

    def is_told():
        message = notebook.client.get_iopub_msg(timeout=10)
        if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == label:
            found.append(message)
        return found

    until(is_told)
    assert found[0]["content"]["data"]["state"]["value"] == "42"
    assert found[0]["parent_header"]["msg_id"] == cell


def test_a_container_can_send_what_cells_show_and_nothing_else(notebook):
    notebook.run("import logging; logging.getLogger('modal_nb.client').setLevel(logging.ERROR)")
    try:
        assert shown(notebook.messages("model.forge.remote(); 1")) == [
            ("stdout", "goes on\n"),
            ("execute_result", {"text/plain": "1"}),
        ]
    finally:
        notebook.run("logging.getLogger('modal_nb.client').setLevel(logging.NOTSET)")


def test_a_container_cannot_take_over_a_comm_that_it_did_not_open(notebook):
    notebook.run("import ipywidgets; own = ipywidgets.IntSlider(value=1)")
    comm = notebook.value("own.comm.comm_id")
    found = [
        (m["msg_type"], m["content"]["comm_id"])
        for m in notebook.messages("model.usurp.remote(own.comm.comm_id)")
        if m["msg_type"].startswith("comm_")
    ]
    assert found == [("comm_open", "of its own"), ("comm_close", "of its own")]
    assert notebook.value(f"own.comm is get_ipython().kernel.comm_manager.comms[{comm!r}]")
    assert notebook.value("'of its own' in get_ipython().kernel.comm_manager.comms") is False


def test_a_bar_of_tqdm_auto_has_widgets_although_it_was_imported_before_anybody_looked(notebook):
    messages = notebook.messages("model.bar.remote()")
    opened = [m["content"]["data"]["state"] for m in messages if m["msg_type"] == "comm_open"]
    assert "HBoxModel" in {state["_model_name"] for state in opened}
    assert shown(messages)[-1] == ("execute_result", {"text/plain": "4950"})


def test_a_display_that_cannot_be_packed_says_so_and_the_call_goes_on(notebook):
    found = shown(notebook.messages("model.odd.remote()"))
    assert found[-1] == ("execute_result", {"text/plain": "'goes on'"})
    assert any(kind == "stderr" and "object" in words for kind, words in found)


def test_calls_from_inside_show_and_ask_in_the_cell_of_the_outer_call(notebook):
    messages = notebook.messages("answered = Outer().call.remote()", ["Grace", "secret"])
    text = "".join(words for kind, words in shown(messages) if kind in {"stdout", "stderr"})
    assert all(word in text for word in ("outside", "one", "two", "three"))
    assert notebook.value("answered") == ("Grace", "secret")


def test_captured_output_stays_captured(notebook):
    assert shown(notebook.messages("%%capture held\nmodel.say.remote(); model.show.remote()")) == []
    assert notebook.value("(held.stdout, held.stderr)") == ("one\nthree", "two\n")
