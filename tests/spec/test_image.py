"""Images are immutable chains of layers."""

from __future__ import annotations

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.image import Image
from modal_nb.spec.secret import Secret

SLIM = Image.debian_slim()

STARTS = [
    lambda: Image.debian_slim("3.12"),
    lambda: Image.from_registry("ubuntu:24.04", add_python="3.12", setup_dockerfile_commands=["RUN x"]),
    lambda: Image.from_aws_ecr("x/y", Secret.from_name("aws")),
    lambda: Image.from_gcp_artifact_registry("x/y", Secret.from_name("gcp")),
    lambda: Image.from_dockerfile("Dockerfile", build_args={"A": "1"}, ignore=["*.txt"]),
    lambda: Image.micromamba("3.12"),
    Image.from_scratch,
    lambda: Image.from_name("mine"),
    lambda: Image.from_id("im-1"),
]

STEPS = {
    "apt_install": lambda i: i.apt_install("git", ["curl", "jq"]),
    "pip_install": lambda i: i.pip_install("numpy", index_url="https://x", env={"A": "1"}, gpu="T4"),
    "uv_pip_install": lambda i: i.uv_pip_install("numpy", requirements=["r.txt"]),
    "pip_install_private_repos": lambda i: i.pip_install_private_repos(
        "github.com/x/y", git_user="u", secrets=[Secret.from_name("git")]
    ),
    "pip_install_from_requirements": lambda i: i.pip_install_from_requirements("r.txt", pre=True),
    "pip_install_from_pyproject": lambda i: i.pip_install_from_pyproject("pyproject.toml", ["dev"]),
    "uv_sync": lambda i: i.uv_sync(groups=["dev"]),
    "poetry_install_from_file": lambda i: i.poetry_install_from_file("pyproject.toml", "poetry.lock"),
    "micromamba_install": lambda i: i.micromamba_install("cuda", channels=["conda-forge"]),
    "run_commands": lambda i: i.run_commands("ls", ["pwd"], env={"A": "1"}),
    "dockerfile_commands": lambda i: i.dockerfile_commands("RUN ls"),
    "run_function": lambda i: i.run_function(print, args=("x",), cpu=1),
    "env": lambda i: i.env({"A": "1"}),
    "workdir": lambda i: i.workdir("/app"),
    "entrypoint": lambda i: i.entrypoint(["/bin/x"]),
    "cmd": lambda i: i.cmd(["x"]),
    "shell": lambda i: i.shell(["/bin/bash", "-c"]),
    "add_local_file": lambda i: i.add_local_file("a.txt", "/a.txt"),
    "add_local_dir": lambda i: i.add_local_dir("a", "/a", ignore=["*.pyc"]),
    "add_local_python_source": lambda i: i.add_local_python_source("mymodule"),
}


@pytest.mark.parametrize("start", STARTS)
def test_every_start_is_one_layer(start):
    assert len(start().layers) == 1


@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_one_more_layer_and_leaves_the_image_as_it_was(step):
    changed = STEPS[step](SLIM)
    assert [layer.kind for layer in changed.layers] == ["debian_slim", step]
    assert [layer.kind for layer in SLIM.layers] == ["debian_slim"]


@pytest.mark.parametrize("step", STEPS)
def test_equal_chains_are_equal(step):
    assert STEPS[step](SLIM) == STEPS[step](Image.debian_slim())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Image(()), "Image has no public constructor"),
        (lambda: Image.debian_slim(3.10), "must be a string such as '3.12', not the number 3.1"),
        (lambda: Image.debian_slim("py3"), "must be a Python version such as '3.12', not 'py3'"),
        (lambda: Image.from_registry(""), "`tag` must be a non-empty string"),
        (lambda: Image.from_registry("x", secret="s"), "`secret` must be a modal_nb.Secret, not 's'"),
        (lambda: SLIM.pip_install(3), "`packages` must be a non-empty string, not 3 (int)"),
        (lambda: SLIM.pip_install(["a", None]), "`packages` must be a non-empty string, not None"),
        (lambda: SLIM.pip_install("a", env={"A": 1}), "`env` has an int for 'A'"),
        (lambda: SLIM.pip_install("a", secrets=["x"]), "`secrets` must hold modal_nb.Secret objects only"),
        (lambda: SLIM.env({"A": 1}), "`vars` has an int for 'A'"),
        (lambda: SLIM.workdir("app"), "`path` must be an absolute path inside the container, not 'app'"),
        (lambda: SLIM.cmd("ls"), "`cmd` must be a list of strings, not 'ls'"),
        (lambda: SLIM.run_function(3), "`run_function` needs a plain function, not 3"),
        (lambda: SLIM.add_local_file("a", "b"), "`remote_path` must be an absolute path"),
        (SLIM.build, "cannot be built: no back end of this version builds images"),
        (lambda: SLIM.publish("x"), "cannot be published as 'x': no back end of this version builds images"),
    ],
)
def test_what_does_not_fit_is_named(make, sentence):
    with pytest.raises(InvalidError) as caught:
        make()
    assert sentence in str(caught.value)


def test_unknown_keywords_of_a_step_are_refused():
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'foo'"):
        SLIM.pip_install("a", foo=1)


def test_a_build_step_after_local_files_is_refused():
    with pytest.raises(InvalidError) as caught:
        SLIM.add_local_dir("a", "/a").run_commands("ls")
    assert "Image.run_commands cannot follow Image.add_local_dir" in str(caught.value)
    assert "copy=True" in str(caught.value)


def test_copied_files_may_be_built_upon():
    image = SLIM.add_local_dir("a", "/a", copy=True).run_commands("ls")
    assert image.add_local_file("b", "/b").add_local_file("c", "/c").layers[-1].kind == "add_local_file"


def test_imports_swallow_only_import_errors_and_only_here(monkeypatch):
    with SLIM.imports():
        raise ImportError("not here")
    with pytest.raises(ValueError, match="real"), SLIM.imports():
        raise ValueError("real")
    monkeypatch.setattr(Image, "inside_container", True)
    with pytest.raises(ImportError), SLIM.imports():
        raise ImportError("real there")


def test_pipe_puts_own_steps_into_a_chain():
    assert SLIM.pipe(lambda image, name: image.apt_install(name), "git") == SLIM.apt_install("git")


def test_the_repr_shows_steps_and_no_values():
    assert repr(SLIM.pip_install("a", index_url="https://user:hush@x")) == "<Image debian_slim.pip_install>"
    assert "hush" not in repr(SLIM.pip_install("a", index_url="https://user:hush@x").layers)
