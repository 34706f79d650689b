"""What containers can be put into, and how other machines are reached."""

from __future__ import annotations

import os
import sys

from modal_nb.cli.probes.finding import Finding, command, missing, ok, problem

#: in a process of its own: it forks
_NAMESPACES = "from modal_nb.container.linux import can_hold_processes as can; print(can())"


def process_namespaces() -> list[Finding]:
    """Whether a container's processes can be ended together by the system."""
    told = command(sys.executable, "-P", "-c", _NAMESPACES)
    if told is not None and told.output.strip() == "True":
        return [ok("pid namespaces", "every container has its own")]
    return [
        problem(
            "pid namespaces",
            "not allowed here: what a container leaves behind is searched for and ended one by one",
            "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000, as root; in Docker: "
            "--security-opt seccomp=unconfined",
        )
    ]


def podman() -> list[Finding]:
    about = command("podman", "--version")
    if about is None:
        return [missing("podman", "for images as file systems", "apt install podman, or dnf install podman")]
    rootless = command("podman", "info", "--format", "{{.Host.Security.Rootless}}")
    return [_usable("podman", about.line, rootless, "podman info")]


def docker() -> list[Finding]:
    about = command("docker", "--version")
    if about is None:
        return [missing("docker", "for images as file systems; podman does it, too", "apt install docker.io")]
    server = command("docker", "info", "--format", "{{.ServerVersion}}")
    return [
        _usable(
            "docker",
            about.line,
            server,
            "systemctl start docker; and for use without root: usermod -aG docker $USER",
        )
    ]


def sandboxes() -> list[Finding]:
    """Small tools that the system brings."""
    found = []
    for name, what, package in (
        ("bwrap", "for file systems without images", "bubblewrap"),
        ("unshare", "for namespaces by hand", "util-linux"),
    ):
        ran = command(name, "--version")
        if ran is None:
            found.append(missing(name, what, f"apt install {package}, or dnf install {package}"))
        else:
            found.append(ok(name, ran.line))
    return found


def ssh() -> list[Finding]:
    ran = command("ssh", "-V")
    if ran is None:
        remedy = "apt install openssh-client, or dnf install openssh-clients"
        return [missing("ssh", "for containers on other machines", remedy)]
    return [ok("ssh", ran.line)]


def graphics() -> list[Finding]:
    fields = "--query-gpu=name,memory.total,driver_version"
    ran = command("nvidia-smi", fields, "--format=csv,noheader")
    if ran is None:
        return [missing("gpu", "no nvidia-smi here", "install NVIDIA's driver, if there is such a GPU")]
    cards = ran.output.strip().splitlines()
    if ran.code or not cards:
        return [problem("gpu", f"nvidia-smi says: {ran.line or 'nothing'}", "nvidia-smi")]
    return [ok("gpu", f"{len(cards)}: {'; '.join(cards)}")]


def _usable(name: str, about: str, asked: object, remedy: str) -> Finding:
    code, line = getattr(asked, "code", 1), getattr(asked, "line", "")
    if code:
        return problem(name, f"{about}, but not usable: {line}", remedy)
    return ok(name, f"{about}, usable {'as root' if os.getuid() == 0 else 'without root'}")
