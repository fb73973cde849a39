"""All of the build, in order, each part skipped when it is there already."""

from __future__ import annotations

import fcntl

from seatrial_lab import paths
from seatrial_lab.build import binaries, environments, packages, store
from seatrial_lab.progress import Progress
from seatrial_lab.releases import Release


def is_complete(release: Release) -> bool:
    """Tell whether nothing needs to be built; cheap enough to ask before each boot."""
    folders = (binaries.folder(), environments.pods(), environments.openstack(release), environments.ansible())
    return all(store.is_built(folder) for folder in folders) and not packages.missing()


def build(progress: Progress, release: Release) -> None:
    """Make what is missing; a build that was cut short goes on where it was."""
    paths.cache().mkdir(parents=True, exist_ok=True)
    with (paths.cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second waits, and then finds everything built
        _build(progress, release)


def _build(progress: Progress, release: Release) -> None:
    missing = packages.missing()
    if missing:
        with progress.long(f"installing {len(missing)} packages: {' '.join(missing)}", "about 1 minute"):
            packages.install(missing)
    with progress.long("environment of the operators", "about 20 s"):
        environments.build_pods()
    with progress.long(f"environment of OpenStack {release.name}", "about 1 minute"):
        environments.build_openstack(release)
    with progress.long("environment of Ansible", "about 20 s"):
        environments.build_ansible()
    with progress.long("compiling Kubernetes, CoreDNS and MetalLB", "about 6 minutes"):
        binaries.build(paths.cache() / "tools")
    progress.done("everything is built")
