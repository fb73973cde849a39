"""Kubernetes on the lab's machines: control plane, nodes, DNS, storage, load balancer."""
