"""The doors: the command line, pytest's plugin and chaostoolkit's control, all of them over one engine.

What belongs here is how to be called and how to answer; what a trial is belongs to ``engine``.
"""
