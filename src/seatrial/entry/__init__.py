"""Placeholder docstring: entry."""
