"""Seatrial: acceptance trials for OpenStack clouds whose control plane runs on Kubernetes."""

__version__ = "0.1.0"
