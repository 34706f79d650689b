"""Options as one record: app defaults, overrides, keys, and what a back end would have to honour."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.cls_spec import ClsSpec
from modal_nb.spec.image import Image
from modal_nb.spec.options import AppDefaults, Options
from modal_nb.spec.overrides import Overrides
from modal_nb.spec.retries import Retries
from modal_nb.spec.scaling import Batching, Concurrency
from modal_nb.spec.secret import Secret
from modal_nb.spec.storage import CloudBucketMount, Volume

ONE, TWO, THREE = (Secret.from_dict({name: name}) for name in ("ONE", "TWO", "THREE"))
KEYWORDS = {
    **dict.fromkeys(
        [
            "image",
            "env",
            "secrets",
            "gpu",
            "network_file_systems",
            "volumes",
            "cpu",
            "memory",
            "ephemeral_disk",
            "min_containers",
            "max_containers",
            "buffer_containers",
            "scaledown_window",
            "proxy",
            "retries",
            "startup_timeout",
            "cloud",
            "region",
            "routing_region",
            "include_source",
            "experimental_options",
        ]
    ),
    **dict.fromkeys(
        [
            "nonpreemptible",
            "enable_memory_snapshot",
            "block_network",
            "restrict_modal_access",
            "i6pn",
            "single_use_containers",
            "serialized",
        ],
        False,
    ),
    "timeout": 300,
}
NO_DEFAULTS = AppDefaults()


def options(app=NO_DEFAULTS, concurrency=None, **given):
    return Options.declared({**KEYWORDS, **given}, app, concurrency)


def defaults(**given):
    return AppDefaults.declared(
        **{"image": None, "secrets": None, "volumes": None, "include_source": True, **given}
    )


def test_nothing_given_is_modals_defaults():
    assert options() == Options()


def test_the_apps_image_is_the_default():
    mine, its = Image.micromamba(), Image.debian_slim()
    assert options(defaults(image=its)).image is its
    assert options(defaults(image=its), image=mine).image is mine


def test_secrets_of_the_app_come_first_and_env_is_kept_apart():
    made = options(defaults(secrets=[ONE]), secrets=[TWO], env={"A": "1", "B": None})
    assert made.secrets == (ONE, TWO)
    assert made.env == (("A", "1"),)


def test_volumes_of_the_class_are_laid_over_the_apps():
    a, b = Volume.from_name("a"), Volume.from_name("b")
    made = options(defaults(volumes={"/x": a, "/y": Volume.from_name("c")}), volumes={"/x": b})
    assert dict(made.volumes)["/x"] == b
    with pytest.raises(InvalidError, match="cannot be mounted at two paths"):
        options(defaults(volumes={"/x": a}), volumes={"/z": a})


def test_include_source_follows_the_app_unless_said():
    assert options(defaults(include_source=False)).include_source is False
    assert options(defaults(include_source=False), include_source=True).include_source is True


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"image": "debian"}, "`image` must be a modal_nb.Image, not 'debian' (str)"),
        ({"secrets": ONE}, "`secrets` must be a list of modal_nb.Secret objects, not <Secret ONE> (Secret)"),
        ({"secrets": ["x"]}, "`secrets` must hold modal_nb.Secret objects only, not 'x' (str)"),
        ({"env": ["A"]}, "`env` must be a dict of str to str, not ['A'] (list)"),
        ({"proxy": "p"}, "`proxy` must be a modal_nb.Proxy, not 'p' (str)"),
        ({"cloud": 3}, "`cloud` must be a non-empty string, not 3 (int)"),
        ({"region": [3]}, "`region` must be a non-empty string, not 3 (int)"),
        ({"block_network": 1}, "`block_network` must be True or False, not 1 (int)"),
        ({"restrict_modal_access": None}, "`restrict_modal_access` must be True or False, not None"),
        (
            {"enable_memory_snapshot": "yes"},
            "`enable_memory_snapshot` must be True or False, not 'yes' (str)",
        ),
        ({"nonpreemptible": 0}, "`nonpreemptible` must be True or False, not 0 (int)"),
        ({"include_source": "x"}, "`include_source` must be True or False, not 'x' (str)"),
        ({"serialized": None}, "`serialized` must be True or False, not None (NoneType)"),
        ({"experimental_options": [1]}, "`experimental_options` must be a dict with string keys, not [1]"),
    ],
)
def test_what_does_not_fit_is_named(given, sentence):
    with pytest.raises(InvalidError) as caught:
        options(**given)
    assert str(caught.value).startswith(sentence)


def test_unknown_experiments_are_tolerated():
    assert options(experimental_options={"b": 1, "a": 2}).experimental_options == (("a", 2), ("b", 1))


# ---- overrides


def over(base=None, **given):
    return (base or options()).merged(Overrides.declared(given))


def test_an_override_sets_its_field_and_no_other():
    base = options(cpu=1, memory=256, max_containers=5, timeout=10, startup_timeout=20)
    changed = over(base, cpu=2, timeout=3)
    assert (changed.resources.cpu, changed.resources.memory) == (2, 256)
    assert (changed.limits.timeout, changed.limits.startup_timeout) == (3, 20)
    assert changed.autoscaler == base.autoscaler


def test_overrides_stack_field_by_field_and_the_last_wins():
    stacked = (
        Overrides.declared({"cpu": 1, "max_containers": 3, "region": "eu"})
        .then(Overrides.declared({"memory": 512, "max_containers": 4}))
        .then(Overrides.declared({"cpu": (2, 3), "cloud": "aws"}))
    )
    made = options().merged(stacked)
    assert (made.resources.cpu, made.resources.cpu_limit, made.resources.memory) == (2, 3, 512)
    assert made.autoscaler.max_containers == 4
    assert (made.placement.region, made.placement.cloud) == (("eu",), "aws")


def test_secrets_and_env_are_replaced_as_a_whole():
    base = options(secrets=[ONE], env={"A": "1"})
    assert (over(base, secrets=[TWO]).secrets, over(base, secrets=[TWO]).env) == ((TWO,), ())
    assert (over(base, env={"B": "2"}).secrets, over(base, env={"B": "2"}).env) == ((), (("B", "2"),))


def test_volumes_are_replaced_as_a_whole_and_buckets_counted_apart():
    volume, bucket = Volume.from_name("v"), CloudBucketMount("b")
    base = options(volumes={"/v": Volume.from_name("old"), "/b": bucket})
    assert over(base, volumes={"/w": volume}).volumes == (("/b", bucket), ("/w", volume))


@pytest.mark.parametrize("nothing", [None, 0, [], {}, ""])
def test_nothing_can_be_unset(nothing):
    base = options(cpu=1, gpu="T4", max_containers=2, secrets=[ONE], volumes={"/v": Volume.from_name("v")})
    names = "cpu memory gpu env secrets volumes max_containers buffer_containers scaledown_window timeout region cloud"
    assert over(base, **dict.fromkeys(names.split(), nothing)) == base


def test_retries_of_zero_do_count():
    assert over(options(retries=3), retries=0).retries == Retries(
        max_retries=0, backoff_coefficient=1.0, initial_delay=1.0
    )
    assert over(options(retries=3), retries=None).retries.max_retries == 3


def test_concurrency_and_batching_are_overrides_too():
    made = options(concurrency=Concurrency(2)).merged(
        Overrides(concurrency=Concurrency(8)).then(Overrides(batching=Batching(4, 10)))
    )
    assert (made.concurrency, made.batching) == (Concurrency(8), Batching(4, 10))


def test_an_override_that_contradicts_what_is_there_is_refused():
    with pytest.raises(
        InvalidError, match=r"`min_containers` \(3\) cannot be greater than `max_containers` \(2\)"
    ):
        over(options(min_containers=3), max_containers=2)


@pytest.mark.parametrize(
    "given", [{"cpu": "x"}, {"gpu": 3}, {"timeout": -1}, {"retries": "x"}, {"secrets": ["x"]}]
)
def test_overrides_are_checked(given):
    with pytest.raises(InvalidError, match=next(iter(given))):
        Overrides.declared(given)


# ---- what is asked for, and keys


def test_nothing_is_asked_by_default():
    assert options(timeout=5, min_containers=1, experimental_options={}).asked() == []


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"image": Image.debian_slim()}, ["image"]),
        ({"env": {"A": "1"}, "secrets": [ONE]}, ["env", "secrets"]),
        ({"gpu": "T4"}, ["gpu"]),
        ({"cpu": (1, 2), "memory": 3}, ["cpu", "cpu (limit)", "memory"]),
        ({"retries": 2}, ["retries"]),
        ({"retries": 0}, []),
        ({"block_network": True, "restrict_modal_access": True}, ["block_network", "restrict_modal_access"]),
        ({"region": "eu", "cloud": "aws", "nonpreemptible": True}, ["cloud", "region", "nonpreemptible"]),
        ({"single_use_containers": True}, ["single_use_containers"]),
        ({"concurrency": Concurrency(2)}, ["concurrent"]),
    ],
)
def test_options_that_ask_something_are_named(given, names):
    assert options(**given).asked() == names


def test_what_is_honoured_is_not_refused():
    made = options(cpu=1, gpu="T4", env={"A": "1"})
    assert made.unsupported(frozenset({"cpu", "env"})) == ["gpu"]
    assert made.unsupported(frozenset({"cpu", "env", "gpu"})) == []


def test_equal_options_have_equal_keys_by_content():
    one = options(secrets=[ONE], env={"B": "2"}, gpu="t4")
    same = options(env={"ONE": "ONE", "B": "2"}, gpu="T4")
    environment = {"ONE": "ONE", "B": "2"}
    assert one.key(environment) == same.key(dict(reversed(environment.items())))


def test_other_options_or_another_environment_have_other_keys():
    keys = {
        options().key({}),
        options().key({"A": "1"}),
        options().key({"A": "2"}),
        options(max_containers=2).key({}),
        options(volumes={"/v": Volume.from_name("v")}).key({}),
        options(volumes={"/v": Volume.from_name("w")}).key({}),
        options(image=Image.debian_slim()).key({}),
    }
    assert len(keys) == 7


def test_the_pool_spec_carries_what_the_supervisor_decides_by():
    spec = options(cpu=2, max_containers=3, timeout=9).pool_spec("key", "lineage", ClsSpec("Model"))
    assert (spec.key, spec.lineage, spec.service) == ("key", "lineage", "Model")
    assert (spec.resources.cpu, spec.autoscaler.max_containers, spec.limits.timeout) == (2, 3, 9)
