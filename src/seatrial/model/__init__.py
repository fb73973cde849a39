"""Frozen values that every layer speaks in; no I/O and no third-party clients here."""
