"""Scripts: what containers print comes to the terminal where it was asked for, and nowhere else."""

from __future__ import annotations

import subprocess

import pytest

import modal_nb as modal
from tests.e2e import script

TEXT = """
import sys
import modal_nb as modal

app = modal.App("terminal")

@app.cls(max_containers=1)
class Model:
    @modal.enter()
    def load(self):
        print("loading")

    @modal.method()
    def say(self):
        print("said", flush=True)
        print("warned", file=sys.stderr)
        display("shown")

    @modal.method()
    def ask(self, prompt="name? "):
        return input(prompt)

    @modal.method()
    def interact(self):
        modal.interact()
        return input("age? ")

def main():
    with app.run():
        {calls}

if {enabled}:
    with modal.enable_output():
        main()
else:
    main()
"""


def run(home, tmp_path, calls, *, enabled=True, typed=""):
    text = TEXT.format(calls=calls, enabled=enabled)
    with script.start(tmp_path, text, stdin=subprocess.PIPE) as process:
        printed, errors = process.communicate(typed, timeout=60)
    return printed, errors, process.returncode


def test_it_is_shown_where_it_was_asked_for(home, tmp_path):
    printed, errors, code = run(home, tmp_path, "Model().say.remote()")
    assert code == 0, errors
    assert printed == "loading\nsaid\nshown\n"
    assert "warned\n" in errors


def test_without_it_a_script_is_quiet(home, tmp_path):
    assert run(home, tmp_path, "Model().say.remote()", enabled=False) == ("", "", 0)


def test_input_reads_the_stdin_of_the_script(home, tmp_path):
    printed, errors, _ = run(home, tmp_path, "print('Hello', Model().ask.remote())", typed="Ada\n")
    assert printed.endswith("name? Hello Ada\n"), errors


def test_a_question_is_shown_without_what_a_terminal_would_obey(home, tmp_path):
    calls = r"print(Model().ask.remote('one\ntwo \x1b]0;title\x07\x1b[2J? '))"
    printed, errors, _ = run(home, tmp_path, calls, typed="Ada\n")
    assert printed.endswith("one\ntwo ? Ada\n"), errors


def test_at_the_end_of_stdin_input_is_an_error_and_no_hang(home, tmp_path):
    _, errors, code = run(home, tmp_path, "Model().ask.remote()")
    assert code == 1
    assert "nobody to answer" in errors


def test_where_nobody_looks_input_says_what_to_do(home, tmp_path):
    _, errors, code = run(home, tmp_path, "Model().ask.remote()", enabled=False, typed="Ada\n")
    assert code == 1
    assert "enable_output" in errors


def test_interact_is_for_containers_whose_caller_looks(home, tmp_path):
    printed, errors, _ = run(home, tmp_path, "print('so', Model().interact.remote())", typed="36\n")
    assert printed.endswith("age? so 36\n"), errors
    _, errors, code = run(home, tmp_path, "Model().interact.remote()", enabled=False)
    assert (code, "enable_output" in errors) == (1, True)
    with pytest.raises(modal.exception.InvalidError, match="for code in containers"):
        modal.interact()
