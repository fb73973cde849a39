"""Placeholder docstring: catalogue."""
