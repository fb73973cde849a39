"""The data plane: compute nodes outside the cluster, described in NodeSets and configured by Ansible in Jobs."""
