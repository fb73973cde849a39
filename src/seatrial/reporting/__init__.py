"""Stored run -> page, JUnit, document to sign, hashes, and the closing lines of the command line.

What belongs here: telling what a run folder holds. What does not: judging (``checks``), looking (``probes``), and any
contact with a deployment. Everything here works on a run of last month, offline.
"""

from seatrial.reporting.manifest import check_seal, seal, verify
from seatrial.reporting.writing import show, write_all

__all__ = ["check_seal", "seal", "show", "verify", "write_all"]
