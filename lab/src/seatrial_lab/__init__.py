"""The cloud on this machine."""
