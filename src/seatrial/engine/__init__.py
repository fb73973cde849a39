"""Runs a trial: prepare, inject, hold, observe, undo, judge. Owns ordering, journal, limits and clean-up.

- ``session.Session`` one trial; ``collect`` the procedures that scenarios and experiments call on it
- ``judging`` evidence to verdicts, also from a stored run; ``undo`` what a killed run left behind
- ``lease`` one trial at a time, ``announce`` Events on what is hurt, ``presence`` both of them
- ``plan``, ``limits`` (with ``instances``), ``seeds`` pure; ``preflight`` the first contact
"""
