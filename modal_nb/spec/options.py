"""All options of ``@app.cls`` as one record, and how app defaults and overrides change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.spec import checks, retries, secret, storage
from modal_nb.spec.cls_spec import ClsSpec
from modal_nb.spec.fingerprint import fingerprint
from modal_nb.spec.image import Image
from modal_nb.spec.limits import Limits
from modal_nb.spec.network import Network
from modal_nb.spec.overrides import Overrides
from modal_nb.spec.placement import Placement
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import Resources
from modal_nb.spec.retries import Retries
from modal_nb.spec.scaling import Autoscaler, Batching, Concurrency
from modal_nb.spec.secret import Secret
from modal_nb.spec.storage import Mounted, NetworkFileSystem

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDefaults:
    """What an app gives to every class of it that does not say otherwise."""

    image: Image | None = None
    secrets: tuple[Secret, ...] = ()
    volumes: tuple[tuple[str, Mounted], ...] = ()
    include_source: bool = True

    @classmethod
    def declared(cls, *, image: Any, secrets: Any, volumes: Any, include_source: Any) -> AppDefaults:
        """The options of ``App(...)`` as users write them; InvalidError names what does not fit."""
        return cls(
            image=None if image is None else checks.instance("image", image, Image),
            secrets=() if secrets is None else checks.instances("secrets", secrets, Secret),
            volumes=storage.volumes(volumes),
            include_source=True
            if include_source is None
            else checks.boolean("include_source", include_source),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one class asks for; every keyword of ``@app.cls`` is in here."""

    image: Image | None = None
    #: the app's secrets first, then the class's
    secrets: tuple[Secret, ...] = ()
    #: wins over secrets
    env: Pairs = ()
    volumes: tuple[tuple[str, Mounted], ...] = ()
    network_file_systems: tuple[tuple[str, NetworkFileSystem], ...] = ()
    resources: Resources = Resources()
    autoscaler: Autoscaler = Autoscaler()
    limits: Limits = Limits()
    retries: Retries | None = None
    placement: Placement = field(default_factory=Placement)
    network: Network = field(default_factory=Network)
    concurrency: Concurrency = Concurrency()
    #: of ``with_batching``, for all methods; ``@batched`` stands in the method's spec
    batching: Batching | None = None
    enable_memory_snapshot: bool = False
    include_source: bool = True
    #: accepted for Modal's sake: here every class travels by value
    serialized: bool = False
    experimental_options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def declared(cls, given: Mapping[str, Any], app: AppDefaults, concurrency: Concurrency | None) -> Options:
        """The keywords of ``@app.cls`` as users write them, all present.

        InvalidError names what does not fit.
        """
        image = given["image"]
        own_secrets = given["secrets"]
        include_source = given["include_source"]
        return cls(
            image=app.image if image is None else checks.instance("image", image, Image),
            secrets=app.secrets
            + (() if own_secrets is None else checks.instances("secrets", own_secrets, Secret)),
            env=() if given["env"] is None else secret.environment("env", given["env"]),
            volumes=_volumes(app, given["volumes"]),
            network_file_systems=storage.network_file_systems(given["network_file_systems"]),
            resources=Resources.declared(**_some(given, "cpu", "memory", "gpu", "ephemeral_disk")),
            autoscaler=Autoscaler.declared(
                **_some(given, "min_containers", "max_containers", "buffer_containers", "scaledown_window")
            ),
            limits=Limits.declared(**_some(given, "timeout", "startup_timeout", "single_use_containers")),
            retries=retries.declared(given["retries"]),
            placement=Placement.declared(
                **_some(given, "cloud", "region", "routing_region", "nonpreemptible")
            ),
            network=Network.declared(
                **_some(given, "proxy", "block_network", "restrict_modal_access", "i6pn")
            ),
            concurrency=concurrency or Concurrency(),
            enable_memory_snapshot=checks.boolean("enable_memory_snapshot", given["enable_memory_snapshot"]),
            include_source=(
                app.include_source
                if include_source is None
                else checks.boolean("include_source", include_source)
            ),
            serialized=checks.boolean("serialized", given["serialized"]),
            experimental_options=_experimental(given["experimental_options"]),
        )

    def merged(self, overrides: Overrides) -> Options:
        """These options with those of ``with_options`` and its like laid over them."""
        o = overrides
        if o.cleared:
            return self._without(frozenset(o.cleared)).merged(replace(o, cleared=()))
        secrets, env = o.environment[-1] if o.environment else (self.secrets, self.env)
        autoscaler = replace(self.autoscaler, **dict(o.autoscaler))
        autoscaler.check()
        volumes = tuple(
            pair
            for pair in self.volumes
            if not (o.buckets if isinstance(pair[1], storage.CloudBucketMount) else o.volumes)
        )
        return replace(
            self,
            secrets=secrets or (),
            env=env or (),
            volumes=tuple(sorted((*volumes, *o.volumes, *o.buckets), key=lambda pair: pair[0])),
            resources=replace(self.resources, **dict(o.resources)),
            autoscaler=autoscaler,
            limits=self.limits if o.timeout is None else replace(self.limits, timeout=o.timeout),
            retries=self.retries if o.retries is None else o.retries,
            placement=replace(self.placement, **dict(o.placement)),
            concurrency=o.concurrency or self.concurrency,
            batching=o.batching or self.batching,
        )

    def _without(self, cleared: frozenset[str]) -> Options:
        """As if these options of ``with_options`` had never been given, here or to the app."""
        fresh: dict[str, Any] = {}
        for name in ("secrets", "env", "volumes", "retries"):
            if name in cleared:
                fresh[name] = None if name == "retries" else ()
        cleared |= {f"{name}_limit" for name in ("cpu", "memory") if name in cleared}
        for name, record in (
            ("resources", Resources()),
            ("autoscaler", Autoscaler()),
            ("placement", Placement()),
            ("limits", Limits()),
        ):
            own = [field.name for field in fields(record) if field.name in cleared]
            fresh[name] = replace(getattr(self, name), **{field: getattr(record, field) for field in own})
        return replace(self, **fresh)

    def asked(self) -> list[str]:
        """The names of options that ask something of a back end beyond running Python and counting."""
        r, n, p = self.resources, self.network, self.placement
        by_name = {
            "image": self.image,
            "env": self.env,
            "secrets": self.secrets,
            "gpu": r.gpu,
            "volumes": self.volumes,
            "network_file_systems": self.network_file_systems,
            "cpu": r.cpu,
            "cpu (limit)": r.cpu_limit,
            "memory": r.memory,
            "memory (limit)": r.memory_limit,
            "ephemeral_disk": r.ephemeral_disk,
            "proxy": n.proxy,
            "block_network": n.block_network,
            "restrict_modal_access": n.restrict_modal_access,
            "i6pn": n.i6pn,
            "cloud": p.cloud,
            "region": p.region,
            "routing_region": p.routing_region,
            "nonpreemptible": p.nonpreemptible,
            "retries": self.retries is not None and self.retries.max_retries > 0,
            "concurrent": self.concurrency.max_inputs > 1,
            "batched": self.batching,
            "enable_memory_snapshot": self.enable_memory_snapshot,
            "single_use_containers": self.limits.single_use,
            "experimental_options": self.experimental_options,
        }
        return [name for name, value in by_name.items() if value]

    def unsupported(self, honoured: frozenset[str]) -> list[str]:
        """Names of what is asked for and not among ``honoured``: what a back end cannot do (D9).

        Asked by the client when the app starts or the pool is first used, before anything is launched.
        """
        return [name for name in self.asked() if name not in honoured]

    def key(self, environment: Mapping[str, str]) -> str:
        """What tells the pools of two option sets apart.

        ``environment``: secrets and env as resolved, so that they count by content.
        """
        return fingerprint((replace(self, secrets=(), env=()), dict(environment)))

    def pool_spec(self, key: str, lineage: str, spec: ClsSpec) -> PoolSpec:
        """What the supervisor is told of them, for this class."""
        return PoolSpec(
            key,
            lineage,
            spec.name,
            self.autoscaler,
            self.concurrency,
            self.limits,
            self.resources,
            retries.policy_of(self.retries),
            tuple(self._batched(spec)),
            self.enable_memory_snapshot,
        )

    def _batched(self, spec: ClsSpec) -> Iterator[tuple[str, Batching]]:
        """``with_batching`` is for all methods that have one result."""
        for method in spec.methods:
            batching = self.batching or method.batching
            if batching and not method.is_generator and not method.web:
                yield method.name, batching


def _some(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names}


def _volumes(app: AppDefaults, value: Any) -> tuple[tuple[str, Mounted], ...]:
    """The app's volumes with the class's laid over them, by path."""
    laid = dict(app.volumes) | dict(storage.volumes(value))
    pairs = tuple(sorted(laid.items(), key=lambda pair: pair[0]))
    storage.check_once(pairs)
    return pairs


def _experimental(value: Any) -> tuple[tuple[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidError(f"`experimental_options` must be a dict with string keys, not {value!r}")
    return tuple(sorted(value.items(), key=lambda pair: pair[0]))
