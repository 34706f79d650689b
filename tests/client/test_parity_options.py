"""The options of ``@app.cls`` and ``with_options`` as users write them: type and whole sentence of each refusal."""

from __future__ import annotations

import os

import pytest

import modal_nb as modal
from modal_nb.exception import DeprecationError, InvalidError, UsageError
from modal_nb.spec.secret import RESERVED

VOLUME = modal.Volume.from_name("data")
BUCKET = modal.CloudBucketMount("bucket")
TWICE = "The same Volume 'data' cannot be mounted at two paths ('/a' and '/b'); mount it once and use folders inside it"


@pytest.fixture
def app():
    return modal.App("parity")


class Plain:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


def refusal(kind, make, *args, **kwargs):
    """The sentence of an error that is of exactly this type."""
    with pytest.raises(kind) as caught:
        make(*args, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


# ---- sentences that the decorator and the variant share

SHARED = [
    ({"env": ["A"]}, "`env` must be a dict of str to str, not ['A'] (list)"),
    ({"env": {"A": 1}}, "`env` has an int for 'A'; values are strings or None"),
    ({"env": {"A=B": "1"}}, "`env` has the name 'A=B'; names are non-empty strings without '='"),
    (
        {"env": {"A": "1", "MODAL_TASK_ID": "mine"}},
        (
            "`env` has the name 'MODAL_TASK_ID', which is reserved for what containers are told of themselves; "
            "give the variable another name"
        ),
    ),
    ({"secrets": ["x"]}, "`secrets` must hold modal_nb.Secret objects only, not 'x' (str)"),
    (
        {"gpu": 3},
        "`gpu` must be a string such as 'T4' or 'A100:2', or a list of them, not 3 (int)",
    ),
    (
        {"gpu": "A100:two"},
        "Invalid GPU count in `gpu`='A100:two': what follows the colon must be an integer of 1 or more",
    ),
    (
        {"gpu": ["T4", "A100:0"]},
        "Invalid GPU count in `gpu`='A100:0': what follows the colon must be an integer of 1 or more",
    ),
    ({"cpu": "2"}, "`cpu` must be a number, not '2' (str)"),
    ({"cpu": (2, 1)}, "`cpu` limit (1) cannot be lower than its request (2)"),
    ({"cpu": (0, 1)}, "`cpu` as a (request, limit) pair must hold positive numbers, not (0, 1)"),
    ({"cpu": (1, 0)}, "`cpu` as a (request, limit) pair must hold positive numbers, not (1, 0)"),
    ({"memory": 1.5}, "`memory` must be an int, not 1.5 (float)"),
    ({"memory": (512, 256)}, "`memory` limit (256) cannot be lower than its request (512)"),
    ({"volumes": {"data": VOLUME}}, "`volumes` has the path 'data'; it must be a canonical absolute path"),
    (
        {"volumes": {"/a/../b": VOLUME}},
        "`volumes` has the path '/a/../b'; it must be a canonical absolute path",
    ),
    (
        {"volumes": {"/tmp": VOLUME}},
        "`volumes` cannot be mounted at '/tmp'; choose a folder of its own, such as '/data'",
    ),
    (
        {"volumes": {"/a": VOLUME, "/b": modal.Volume.from_name("data")}},
        TWICE,
    ),
    ({"max_containers": 1.5}, "`max_containers` must be an int, not 1.5 (float)"),
    ({"max_containers": -1}, "`max_containers` must be at least 1, not -1"),
    ({"buffer_containers": "1"}, "`buffer_containers` must be an int, not '1' (str)"),
    ({"scaledown_window": 1}, "`scaledown_window` must be between 2 and 3600, not 1"),
    ({"scaledown_window": 3601}, "`scaledown_window` must be between 2 and 3600, not 3601"),
    ({"retries": "3"}, "`retries` must be an int or a modal_nb.Retries, not '3' (str)"),
    ({"retries": -1}, "`retries` must be at least 0, not -1"),
    ({"timeout": -1}, "`timeout` must be between 0 and 86400.0, not -1"),
    ({"timeout": 86_401}, "`timeout` must be between 0 and 86400.0, not 86401"),
    ({"region": [3]}, "`region` must be a non-empty string, not 3 (int)"),
    ({"cloud": 3}, "`cloud` must be a non-empty string, not 3 (int)"),
    ({"routing_region": 3}, "`routing_region` must be a non-empty string, not 3 (int)"),
]


@pytest.mark.parametrize(("given", "sentence"), SHARED)
def test_an_option_that_does_not_fit_is_refused_by_the_decorator(app, given, sentence):
    assert refusal(InvalidError, app.cls, **given) == sentence
    assert app.registered_classes == {}


@pytest.mark.parametrize(("given", "sentence"), SHARED)
def test_an_option_that_does_not_fit_is_refused_by_the_variant(app, given, sentence):
    assert refusal(InvalidError, app.cls()(Plain).with_options, **given) == sentence


# ---- sentences of the decorator alone


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"image": "debian"}, "`image` must be a modal_nb.Image, not 'debian' (str)"),
        ({"timeout": None}, "`timeout` cannot be None; give seconds, at most 86400, or leave it out"),
        ({"timeout": 0}, "`timeout` must be more than 0 seconds; leave it out for the default"),
        ({"startup_timeout": -1}, "`startup_timeout` must be between 0 and 86400.0, not -1"),
        ({"min_containers": "2"}, "`min_containers` must be an int, not '2' (str)"),
        ({"max_containers": 0}, "`max_containers` must be at least 1, not 0"),
        (
            {"min_containers": 3, "max_containers": 2},
            "`min_containers` (3) cannot be greater than `max_containers` (2); raise the cap or lower the floor",
        ),
        ({"ephemeral_disk": 0}, "`ephemeral_disk` must be at least 1, not 0"),
        (
            {"network_file_systems": {"data": modal.NetworkFileSystem.from_name("data")}},
            "`network_file_systems` has the path 'data'; it must be a canonical absolute path",
        ),
        ({"proxy": "p"}, "`proxy` must be a modal_nb.Proxy, not 'p' (str)"),
        ({"block_network": 1}, "`block_network` must be True or False, not 1 (int)"),
        ({"restrict_modal_access": 1}, "`restrict_modal_access` must be True or False, not 1 (int)"),
        ({"i6pn": 1}, "`i6pn` must be True or False, not 1 (int)"),
        ({"nonpreemptible": 1}, "`nonpreemptible` must be True or False, not 1 (int)"),
        ({"enable_memory_snapshot": 1}, "`enable_memory_snapshot` must be True or False, not 1 (int)"),
        ({"single_use_containers": 1}, "`single_use_containers` must be True or False, not 1 (int)"),
        ({"include_source": 1}, "`include_source` must be True or False, not 1 (int)"),
        ({"serialized": 1}, "`serialized` must be True or False, not 1 (int)"),
        (
            {"experimental_options": {1: 2}},
            "`experimental_options` must be a dict with string keys, not {1: 2}",
        ),
    ],
)
def test_an_option_of_the_decorator_alone_is_refused_there(app, given, sentence):
    assert refusal(InvalidError, app.cls, **given) == sentence


@pytest.mark.parametrize("path", ["/", "/root", "/tmp"])
def test_a_volume_may_lie_inside_a_place_that_the_container_keeps_but_not_be_it(app, path):
    sentence = f"`volumes` cannot be mounted at {path!r}; choose a folder of its own, such as '/data'"
    assert refusal(InvalidError, app.cls, volumes={path: VOLUME}) == sentence
    made = app.cls(volumes={path.rstrip("/") + "/data": VOLUME, "/bucket": BUCKET})(Plain)
    assert len(made.__modal__.options.volumes) == 2


def test_positional_arguments_come_first_then_keywords_then_values_then_the_class(app):
    sentence = refusal(UsageError, app.cls, 3, keep_warm=1, timeout=None)
    assert sentence == (
        "Positional arguments are not allowed in @app.cls, got 3. Did you forget parentheses? Write @app.cls()."
    )
    assert refusal(DeprecationError, app.cls, keep_warm=1, timeout=None) == (
        "`keep_warm` was renamed: use `min_containers`"
    )
    assert refusal(InvalidError, lambda: app.cls(timeout=None)(3)).startswith("`timeout` cannot be None")
    assert refusal(TypeError, lambda: app.cls()(3)) == (
        "@app.cls() decorates a class, not 3; for a function use @app.function()"
    )


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ({"name": "Model"}, "'name': the class's own name is its name"),
        ({"schedule": None}, "'schedule'"),
        ({"is_generator": True}, "'is_generator'"),
    ],
)
def test_what_only_functions_have_is_pythons_own_error(app, given, end):
    assert refusal(TypeError, app.cls, **given) == f"@app.cls got an unexpected keyword argument {end}"


def test_a_class_that_was_decorated_before_is_named(app):
    made = app.cls()(Plain)
    assert refusal(TypeError, app.cls(), made) == (
        "<Cls Plain of app 'parity'> cannot be decorated twice: remove one @app.cls(), or decorate the plain class"
    )


# ---- what is given is what is asked for


def test_the_defaults_are_modals(app):
    options = app.cls()(Plain).__modal__.options
    scaling, limits = options.autoscaler, options.limits
    assert (scaling.min_containers, scaling.max_containers, scaling.buffer_containers) == (0, None, 0)
    assert (scaling.scaledown_window, limits.timeout, limits.startup_timeout) == (60, 300, 300)
    assert (options.retries, options.include_source, limits.single_use) == (None, True, False)


def test_the_startup_timeout_is_the_timeout_where_it_is_not_given(app):
    assert app.cls(timeout=20)(Plain).__modal__.options.limits.startup_timeout == 20


def test_gpus_are_names_with_counts_in_any_case_and_in_order_of_preference(app):
    gpu = lambda value: app.cls(gpu=value)(type("Plain", (), {})).__modal__.options.resources.gpu
    with pytest.warns(UserWarning, match="already defined"):
        assert [gpu("t4"), gpu("A100:2"), gpu(["h100", "T4"])] == [
            (("T4", 1),),
            (("A100", 2),),
            (("H100", 1), ("T4", 1)),
        ]


@pytest.mark.parametrize("name", ["startup_timeout", "single_use_containers", "include_source", "serialized"])
def test_a_variant_names_what_belongs_to_the_decorator(app, name):
    assert refusal(TypeError, app.cls()(Plain).with_options, **{name: 1}) == (
        f"with_options() got an unexpected keyword argument {name!r}; only options that need no other class can be "
        "changed, others belong to @app.cls()"
    )


def test_a_variant_and_a_look_up_take_the_newer_keywords(app):
    placement = app.cls()(Plain).with_options(routing_region="eu").__modal__.options.placement
    assert placement.routing_region == "eu"
    assert repr(modal.Cls.from_name("shop", "Till", version=2)) == "<Cls Till of app 'shop'>"
    for version, said in ((0, "at least 1, not 0"), ("2", "an int, not '2' (str)")):
        sentence = refusal(InvalidError, modal.Cls.from_name, "shop", "Till", version=version)
        assert sentence == f"`version` must be {said}"


# ---- what a container finds


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_the_names_that_a_container_has_of_itself_cannot_be_given(app, name):
    told = f"has the name {name!r}, which is reserved for what containers are told of themselves"
    said = f"{told}; give the variable another name"
    assert refusal(InvalidError, app.cls, env={name: "mine"}) == f"`env` {said}"
    assert refusal(InvalidError, app.cls()(Plain).with_options, env={name: "mine"}) == f"`env` {said}"
    assert refusal(InvalidError, modal.Secret.from_dict, {name: "mine"}) == f"`env_dict` {said}"
    assert refusal(InvalidError, modal.Secret.from_local_environ, [name]) == f"`env_keys` {said}"
    # None leaves a variable out
    assert app.cls(env={name: None})
    assert modal.Secret.from_dict({name: None})


def test_a_reserved_name_in_a_file_is_told_at_the_first_use(home, tmp_path):
    (tmp_path / ".env").write_text("OWN=1\nMODAL_IS_REMOTE=0\n")
    app = modal.App("reserved")
    made = app.cls(secrets=[modal.Secret.from_dotenv(str(tmp_path))])(Plain)
    with app.run():
        assert refusal(InvalidError, made().where.remote) == (
            f"<Secret dotenv: {tmp_path}/.env> has the name 'MODAL_IS_REMOTE', which is reserved for what containers "
            "are told of themselves; give the variable another name"
        )
    assert not home.pools("Plain")


def test_a_container_is_told_of_itself_whatever_stands_in_the_callers_environment(home, monkeypatch):
    app = modal.App("told")

    @app.cls(env={"OWN": "mine"})
    class Model:
        @modal.method()
        def told(self):
            return [os.environ.get(name) for name in ("MODAL_TASK_ID", "MODAL_IS_REMOTE", "OWN")]

    with app.run():
        monkeypatch.setenv("MODAL_TASK_ID", "mine")
        monkeypatch.setenv("MODAL_IS_REMOTE", "0")
        container, remote, own = Model().told.remote()
        assert container in home.ids("Model")
        assert (remote, own) == ("1", "mine")
