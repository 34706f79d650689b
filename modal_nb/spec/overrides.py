"""What ``with_options``, ``with_concurrency`` and ``with_batching`` change, and how such changes stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from modal_nb.spec import checks, retries, secret, storage
from modal_nb.spec.limits import timeout_seconds
from modal_nb.spec.placement import regions
from modal_nb.spec.resources import gpus, request_and_limit
from modal_nb.spec.retries import Retries
from modal_nb.spec.scaling import Batching, Concurrency, autoscaler_changes
from modal_nb.spec.secret import Secret
from modal_nb.spec.storage import Mounted

Changes = tuple[tuple[str, Any], ...]
#: secrets and env that one call gave; None: not given
Environment = tuple[tuple[Secret, ...] | None, tuple[tuple[str, str], ...] | None]


class Unset(Enum):
    """Its one value, ``UNSET``, clears an option of ``with_options``: as if nobody had given it."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "modal_nb.UNSET"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What is to change; empty or None means unchanged.

    As in Modal None, 0 and empty values change nothing; ``UNSET`` clears, which Modal has no way to do.
    """

    #: options that count as never given, before what follows is laid over them
    cleared: tuple[str, ...] = ()

    #: the last one replaces secrets and env of all that came before; those are kept for when it is cleared
    environment: tuple[Environment, ...] = ()
    #: volumes as a whole replace volumes, buckets as a whole replace buckets
    volumes: tuple[tuple[str, Mounted], ...] = ()
    buckets: tuple[tuple[str, Mounted], ...] = ()
    #: these three are merged name by name
    resources: Changes = ()
    autoscaler: Changes = ()
    placement: Changes = ()
    retries: Retries | None = None
    timeout: float | None = None
    concurrency: Concurrency | None = None
    batching: Batching | None = None

    @classmethod
    def declared(cls, given: Mapping[str, Any]) -> Overrides:
        """The keywords of ``with_options`` as users write them. InvalidError names what does not fit."""
        cleared = tuple(sorted(name for name, value in given.items() if value is UNSET))
        given = {
            name: value
            for name, value in given.items()
            if value is not UNSET and (value or _is_policy(name, value))
        }
        pairs = storage.volumes(given.get("volumes"))
        return cls(
            cleared=cleared,
            environment=_environment(given),
            volumes=tuple(pair for pair in pairs if not isinstance(pair[1], storage.CloudBucketMount)),
            buckets=tuple(pair for pair in pairs if isinstance(pair[1], storage.CloudBucketMount)),
            resources=_resources(given),
            autoscaler=_autoscaler(given),
            placement=_placement(given),
            retries=retries.declared(given.get("retries")),
            timeout=timeout_seconds("timeout", given["timeout"]) if "timeout" in given else None,
        )

    @property
    def changes_environment(self) -> bool:
        """Containers get other variables than those of the decorator."""
        return bool(self.environment) or not {"secrets", "env"}.isdisjoint(self.cleared)

    def then(self, later: Overrides) -> Overrides:
        """Both, one laid over the other: what the later one sets wins."""
        together: dict[str, Any] = {}
        mine_left = self._without(frozenset(later.cleared))
        for field in fields(self):
            mine, its = getattr(mine_left, field.name), getattr(later, field.name)
            if field.name == "cleared":
                together["cleared"] = tuple(sorted({*mine, *its}))
            elif field.name == "environment":
                together["environment"] = _that_may_count((*mine, *its))
            elif field.name in {"resources", "autoscaler", "placement"}:
                together[field.name] = tuple(sorted((dict(mine) | dict(its)).items()))
            else:
                together[field.name] = its or mine
        return Overrides(**together)

    def _without(self, cleared: frozenset[str]) -> Overrides:
        """What is left when a later one clears these options."""
        if not cleared:
            return self
        left: dict[str, Any] = {}
        for name in ("resources", "autoscaler", "placement"):
            pairs = getattr(self, name)
            left[name] = tuple(pair for pair in pairs if pair[0].removesuffix("_limit") not in cleared)
        left |= {name: None for name in ("retries", "timeout") if name in cleared}
        if "volumes" in cleared:
            left |= {"volumes": (), "buckets": ()}
        given = (
            (None if "secrets" in cleared else secrets, None if "env" in cleared else env)
            for secrets, env in self.environment
        )
        return replace(self, environment=tuple(one for one in given if one != (None, None)), **left)


def _is_policy(name: str, value: Any) -> bool:
    """``retries=0`` is a policy, the one zero that counts; wrong types are still to be refused."""
    return name == "retries" and value is not None


def _environment(given: Mapping[str, Any]) -> tuple[Environment, ...]:
    if "secrets" not in given and "env" not in given:
        return ()
    secrets = checks.instances("secrets", given["secrets"], Secret) if "secrets" in given else None
    env = secret.environment("env", given["env"]) if "env" in given else None
    return ((secrets, env),)


def _that_may_count(given: tuple[Environment, ...]) -> tuple[Environment, ...]:
    """The last one with secrets and the last one with env: one of them is the last one of all."""
    last = {max((at for at, one in enumerate(given) if one[part] is not None), default=-1) for part in (0, 1)}
    return tuple(given[at] for at in sorted(last) if at >= 0)


def _resources(given: Mapping[str, Any]) -> Changes:
    changes: dict[str, Any] = {}
    for option in ("cpu", "memory"):
        if option in given:
            request, limit = request_and_limit(option, given[option], whole=option == "memory")
            changes |= {option: request, f"{option}_limit": limit}
    if "gpu" in given:
        changes["gpu"] = gpus(given["gpu"])
    return tuple(sorted(changes.items()))


def _autoscaler(given: Mapping[str, Any]) -> Changes:
    names = ("max_containers", "buffer_containers", "scaledown_window")
    changes = autoscaler_changes(**{name: given[name] for name in names if name in given})
    return tuple(sorted(changes.items()))


def _placement(given: Mapping[str, Any]) -> Changes:
    changes: dict[str, Any] = {}
    for option in ("cloud", "routing_region"):
        if option in given:
            changes[option] = checks.text(option, given[option])
    if "region" in given:
        changes["region"] = regions(given["region"])
    return tuple(sorted(changes.items()))
