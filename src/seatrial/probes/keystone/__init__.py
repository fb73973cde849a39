"""What Keystone says, and what every API instance says to someone without a token, or with a false one."""

from __future__ import annotations

from seatrial.probes.keystone.answering import answers
from seatrial.probes.keystone.registry import catalog

__all__ = ["answers", "catalog"]
