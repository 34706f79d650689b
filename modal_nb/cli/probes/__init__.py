"""What ``modal-nb doctor`` asks a machine. A probe returns findings, changes nothing and has a time limit."""

from __future__ import annotations
