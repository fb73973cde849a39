"""What the harness itself sends through a deployment while a trial runs: measured paths and the ledger."""

from seatrial.traffic.watch import Equipment, Traffic, watch

__all__ = ["Equipment", "Traffic", "watch"]
