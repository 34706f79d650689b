"""Benchmarks: modal_nb beside its peers, interleaved in one run. `make bench` is the command."""
