"""The machine beneath: namespaces, control groups, processes and their supervision, certificates, preflight, sweep."""
