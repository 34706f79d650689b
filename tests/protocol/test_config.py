"""Settings: which of environment, file and default counts, and what is said of values that do not fit."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError
from modal_nb.protocol.config import FILE, SETTINGS, Source, config, setting_named


def found(home, environ=None, text=None):
    if text is not None:
        (home / FILE).write_text(text, encoding="utf-8")
    return {name: (one.value, one.source) for name, one in config(home, environ or {}).items()}


def test_without_a_file_the_defaults_count(tmp_path):
    assert found(tmp_path) == {
        "max_containers": (None, Source.DEFAULT),
        "max_cpu": (None, Source.DEFAULT),
        "max_memory": (None, Source.DEFAULT),
        "queue_bound": (100_000, Source.DEFAULT),
        "max_payload": (2048.0, Source.DEFAULT),
        "stop_grace": (30.0, Source.DEFAULT),
        "idle_exit": (60.0, Source.DEFAULT),
        "linger": (300.0, Source.DEFAULT),
        "durability": ("full", Source.DEFAULT),
        "results_keep_days": (7.0, Source.DEFAULT),
        "results_bound": (10_240, Source.DEFAULT),
    }


def test_the_environment_wins_over_the_file_and_that_over_the_default(tmp_path):
    told = found(
        tmp_path,
        {"MODAL_NB_MAX_CPU": "2.5", "MODAL_NB_DURABILITY": "normal"},
        "max_cpu = 4\nstop_grace = 5\ndurability = 'full'\n",
    )
    assert told["max_cpu"] == (2.5, Source.ENVIRONMENT)
    assert told["stop_grace"] == (5.0, Source.FILE)
    assert told["durability"] == ("normal", Source.ENVIRONMENT)
    assert told["idle_exit"] == (60.0, Source.DEFAULT)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=str)
def test_a_default_is_a_value_that_may_be_written(setting):
    if setting.default is not None:
        assert setting.check(setting.default) == setting.parse(str(setting.default)) == setting.default
    assert bool(setting.otherwise) is (setting.default is None)


@pytest.mark.parametrize(
    ("name", "text", "clause"),
    [
        ("max_containers", "2.5", "'2.5' is not a positive int"),
        ("max_containers", "0", "'0' is not a positive int"),
        ("max_cpu", "nan", "'nan' is not a positive float"),
        ("max_cpu", "inf", "'inf' is not a positive float"),
        ("stop_grace", "-1", "'-1' is not a positive float"),
        ("linger", "-0.5", "'-0.5' is neither a positive float nor 0"),
        ("queue_bound", "999", "999 is less than 1000, the inputs that one .map may have on its way"),
        ("durability", "most", "'most' is none of normal, full"),
    ],
)
def test_a_variable_that_does_not_fit_is_named_with_its_value(tmp_path, name, text, clause):
    variable = f"MODAL_NB_{name.upper()}"
    with pytest.raises(InvalidError) as caught:
        config(tmp_path, {variable: text})
    assert str(caught.value) == f"{variable}={clause}: correct it or unset it"


@pytest.mark.parametrize(
    ("name", "text", "clause"),
    [
        ("max_containers", "'5'", "'5' is not a positive int"),
        ("max_containers", "true", "True is not a positive int"),
        ("max_containers", "2.0", "2.0 is not a positive int"),
        ("max_cpu", "-2", "-2.0 is not a positive float"),
        ("max_memory", "[1]", "[1] is not a positive int"),
        ("durability", "1", "1 is none of normal, full"),
    ],
)
def test_a_value_of_the_file_that_does_not_fit_is_named_with_the_remedy(tmp_path, name, text, clause):
    with pytest.raises(InvalidError) as caught:
        found(tmp_path, text=f"{name} = {text}\n")
    assert str(caught.value) == (
        f"{name}={clause}, in {tmp_path / FILE}: `modal-nb config set {name} ...` or `modal-nb config unset {name}`"
    )


def test_a_name_that_is_no_setting_is_told(tmp_path):
    with pytest.raises(
        InvalidError, match=r"there is no setting 'max_gpus', in .*: `modal-nb config unset max_gpus`"
    ):
        found(tmp_path, text="max_gpus = 1\n")
    with pytest.raises(InvalidError, match=r"there is no setting 'x'; there are: max_containers, max_cpu, "):
        setting_named("x")


def test_a_file_that_is_no_toml_is_told(tmp_path):
    with pytest.raises(
        InvalidError, match=r"config\.toml is not TOML \(.*line 1.*\): correct it or remove it"
    ):
        found(tmp_path, text="max_cpu = = 1\n")
