"""Equal declarations have equal fingerprints, in every process."""

from __future__ import annotations

import subprocess
import sys

from modal_nb.spec.fingerprint import fingerprint
from modal_nb.spec.resources import Resources

VALUE = "fingerprint((1, '1', b'1', True, 1.0, None, {'b': 2, 'a': {3, 1, 2}}, [Resources(cpu=1)]))"


def test_it_is_the_same_in_another_process_with_another_hash_seed():
    code = f"from modal_nb.spec.fingerprint import *; from modal_nb.spec.resources import *; print({VALUE})"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {eval(VALUE)}


def test_types_are_told_apart():
    values = [1, "1", b"1", True, 1.0, None, "None", (1,), ((1,),), {"1": 1}, {1}, Resources(cpu=1)]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_text_cannot_imitate_structure():
    assert fingerprint(("a,str:'b'",)) != fingerprint(("a", "b"))
    assert fingerprint(("a'", "b")) != fingerprint(("a", "'b"))


def test_broken_text_has_a_fingerprint_too():
    assert len(fingerprint("\udc80")) == 32
