"""Ray Serve with its own setting for throughput: calls by gRPC, router and methods on the main loops."""

from __future__ import annotations

import os

# read when ray.serve is imported
os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] = "1"
# part of that setting, but it is about HTTP and would start a proxy
os.environ["RAY_SERVE_ENABLE_DIRECT_INGRESS"] = "0"

from benchmarks.peers import ray_serve


class Peer(ray_serve.Peer):
    name = "Ray Serve for throughput"
