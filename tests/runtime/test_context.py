"""Where code runs."""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from modal_nb.runtime import context


def test_outside_of_everything():
    assert context.is_local()
    assert context.current_input_id() is None
    assert context.current_function_call_id() is None


def test_a_container_is_not_local_but_its_children_are(monkeypatch):
    process = context.Process()
    monkeypatch.setattr(context, "process", process)
    process.enter_container("ct-4")
    assert not context.is_local()
    assert process.container_id == "ct-4"
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: sending.send(context.is_local()))
    child.start()
    assert receiving.recv() is True
    child.join()


def test_ids_are_there_only_while_serving():
    with context.serving("in-1", "fc-2"):
        assert (context.current_input_id(), context.current_function_call_id()) == ("in-1", "fc-2")
        context.serve_next("in-1.1")
        assert context.current_input_id() == "in-1.1"
    assert context.current_input_id() is None


def test_a_nested_call_names_the_input_whose_code_makes_it():
    assert context.current_input_number() == 0
    with context.serving("in-7", None, 7), context.serving("in-8", None, 8):
        assert context.current_input_number() == 8


@pytest.mark.parametrize(("numbers", "named"), [((), 0), ((7,), 7), ((7, 8), 0)])
def test_a_thread_of_the_users_code_belongs_to_the_only_input_that_runs(numbers, named):
    with contextlib.ExitStack() as stack:
        for number in numbers:
            stack.enter_context(context.serving(None, None, number))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(context.current_input_number).result() == named
