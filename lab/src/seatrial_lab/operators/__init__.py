"""The operators that run inside the lab: one package, one Deployment each."""
