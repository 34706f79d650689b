"""Handles of other apps in the code of an app: every app that runs is told what they mean, whoever was told before."""

from __future__ import annotations

import modal_nb as modal

other = modal.App("other")
apps = [modal.App(f"user-{n}") for n in range(2)]


@other.cls()
class Other:
    @modal.method()
    def double(self, x):
        return 2 * x


@apps[0].cls()
class First:
    @modal.method()
    def call(self, x):
        return Other().double.remote(x)


@apps[1].cls()
class Second:
    @modal.method()
    def call(self, x):
        return Other().double.remote(x)

    @modal.method()
    def given(self, handle, x):
        return handle.double.remote(x)


def test_a_run_is_told_what_a_deployed_app_was_told_before(home):
    apps[0].deploy()
    assert modal.Cls.from_name("user-0", "First")().call.remote(3) == 6
    apps[0].stop()
    for _ in range(2):
        with apps[1].run():
            assert Second().call.remote(4) == 8
            assert Second().given.remote(Other(), 5) == 10
    apps[1].deploy()
    assert modal.Cls.from_name("user-1", "Second")().call.remote(6) == 12
    apps[1].stop()
