"""Target to Inventory, read-only: what a deployment consists of, by label and owner, never by fixed name."""

from __future__ import annotations

from seatrial.discovery.discover import discover

__all__ = ["discover"]
