"""Placeholder docstring: journal."""
