"""Hurts by what they break: frozen values with six verbs whose order, journal and undo belong to the engine.

``build(kind, parameters)`` makes the fault that a journal, an experiment document or a plan names.
"""

from seatrial.faults.registry import KINDS, build

__all__ = ["KINDS", "build"]
