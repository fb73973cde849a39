"""What is wrong with the way to the platform, as far as files tell: kubeconfigs, their contexts and certificates."""

from __future__ import annotations

import base64
import binascii
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from seatrial.catalogue.document import Document, nearest
from seatrial.clients.kube_login import SERVICE_ACCOUNT
from seatrial.clients.kubeconfig import KINDS, Entry, Kubeconfig
from seatrial.entry.written_files import expanded, mapping
from seatrial.model.errors import Problem
from seatrial.model.target import Grant, Kubernetes

_KEY = ("kubernetes", "kubeconfig")
_SHAPES: Mapping[str, Mapping[str, type]] = {
    "cluster": {
        **dict.fromkeys(("server", "certificate-authority", "certificate-authority-data"), str),
        **dict.fromkeys(("tls-server-name", "proxy-url"), str),
        "insecure-skip-tls-verify": bool,
    },
    "user": {
        **dict.fromkeys(("token", "tokenFile", "username", "password"), str),
        **dict.fromkeys(("client-certificate", "client-certificate-data", "client-key", "client-key-data"), str),
        **dict.fromkeys(("exec", "auth-provider"), dict),
    },
}
_WORDS = {str: "a text", bool: "true or false", dict: "a mapping"}


def way_in(
    written: str | None,
    context: str | None,
    document: Document,
    target: Path,
    *,
    service_account: Path = SERVICE_ACCOUNT,
) -> tuple[Kubernetes, list[Problem]]:
    """Return how the platform is reached: as the target says, else by KUBECONFIG, ~/.kube/config or the pod's account.

    With problems, when what is named is not there; what stands in the files is not looked at.
    """
    where = document.where(_KEY)
    if written is not None:
        files, problems = expanded(written, target, where)
    else:
        files, problems, where = _by_environment(), [], document.where(("kubernetes",))
    # As for kubectl, a list may name files that do not exist, as long as one of them does.
    present = tuple(file for file in files if file.exists())
    if problems or present:
        return Kubernetes(present or files, context), problems
    if files:
        named = ("" if written is not None else "KUBECONFIG: ") + ":".join(str(file) for file in files)
        return Kubernetes(files, context), [Problem(where, f"{named}: No such file or directory", "a kubeconfig file")]
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (service_account / "token").is_file():
        return Kubernetes(None, context), []
    found = "no kubeconfig: KUBECONFIG is not set, ~/.kube/config does not exist, and this is no pod"
    return Kubernetes((), context), [Problem(where, found, "a kubeconfig file under kubernetes.kubeconfig")]


def _by_environment() -> tuple[Path, ...]:
    named = tuple(Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part)
    usual = Path("~/.kube/config").expanduser()
    return tuple(file.absolute() for file in named) or ((usual,) if usual.exists() else ())


def problems(way: Kubernetes, grant: Grant, document: Document, now: datetime) -> Iterator[Problem]:
    """Yield what is wrong inside the files, and that a context must be named where something may be changed."""
    at_context = document.where(("kubernetes", "context"))
    if way.kubeconfig is None:
        if way.context is not None:
            found = f"context {way.context!r}, and no kubeconfig that could have it"
            yield Problem(at_context, found, "no context for the account of a pod")
        return
    where = document.where(_KEY)
    bad = [problem for file in way.kubeconfig for problem in _misshapen(file, where)]
    if bad:
        yield from bad
        return
    merged = Kubeconfig(way.kubeconfig)
    contexts = merged.entries("contexts")
    known = ", ".join(contexts) or "a context of the kubeconfig"
    if way.context is None and grant is not Grant.OBSERVE:
        found = f"no context, with grant {grant.value}: it would be whatever is current at the moment"
        yield Problem(at_context, found, known)
        return
    wanted = way.context or merged.current
    if wanted not in contexts:
        at = at_context if way.context else where
        found = f"context {wanted!r}" if wanted else "no current-context in it"
        yield Problem(at, found, known, nearest(str(wanted), list(contexts)))
        return
    chosen = contexts[wanted]
    for kind in ("cluster", "user"):
        entries, name = merged.entries(f"{kind}s"), chosen.body.get(kind)
        if not isinstance(name, str) or name not in entries:
            shown = repr(name) if isinstance(name, str) else _kind_of(name)
            found = f"{kind} {shown} in context {wanted!r} of {chosen.file}"
            yield Problem(where, found, ", ".join(entries) or f"a {kind}")
        else:
            yield from _bad_entry(kind, name, entries[name], where, now)


def _misshapen(file: Path, where: str) -> Iterator[Problem]:
    """Yield what keeps a kubeconfig from being read at all."""
    data, unreadable = mapping(file, where, "a kubeconfig file")
    if unreadable:
        yield from unreadable
        return
    current = data.get("current-context")
    if not isinstance(current, str | None):
        yield Problem(where, f"{file}: {_kind_of(current)} as current-context", "a text")
    for plural, key in KINDS.items():
        entries = data.get(plural) or []
        if not isinstance(entries, list):
            yield Problem(where, f"{file}: {_kind_of(entries)} as {plural}", "a list")
            continue
        for number, entry in enumerate(entries, 1):
            if not (
                isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get(key), dict)
            ):
                yield Problem(where, f"{file}: entry {number} of {plural}", f"a name, and a mapping under {key}")


def _bad_entry(kind: str, name: str, entry: Entry, where: str, now: datetime) -> Iterator[Problem]:
    """Yield what is wrong with the cluster or the user that is going to be used."""
    wrong = False
    for key, shape in _SHAPES[kind].items():
        value = entry.body.get(key)
        if not isinstance(value, shape | None):
            wrong = True
            found = f"{_kind_of(value)} as {key} of {kind} {name!r} in {entry.file}"
            yield Problem(where, found, _WORDS[shape])
    if wrong:
        return
    if kind == "cluster":
        yield from _bad_address(name, entry, where)
    elif "exec" in entry.body:
        yield from _bad_helper(name, entry, where)
    yield from _bad_certificate(kind, name, entry, where, now)


def _bad_address(name: str, entry: Entry, where: str) -> Iterator[Problem]:
    for key, schemes in (("server", ("https", "http")), ("proxy-url", ("http",))):
        written = entry.body.get(key)
        if written is None and key == "proxy-url":
            continue
        try:
            url = urlsplit(written or "")
            good = url.scheme in schemes and bool(url.hostname) and url.port != 0
        except ValueError:
            good = False
        if not good:
            accepted = " or ".join(f"{scheme}://HOST:PORT" for scheme in schemes)
            # A proxy's URL may hold a password, and a server's is no secret.
            shown = repr(written) if key == "server" else "another kind of address"
            yield Problem(where, f"{shown} as {key} of cluster {name!r} in {entry.file}", accepted)


def _bad_helper(name: str, entry: Entry, where: str) -> Iterator[Problem]:
    """Yield that a login helper can't be run; whether it gives credentials is found out when it is asked."""
    helper = entry.body["exec"] or {}
    command, arguments, variables = helper.get("command"), helper.get("args") or [], helper.get("env") or []
    good = (
        isinstance(helper.get("apiVersion"), str)
        and isinstance(arguments, list)
        and all(isinstance(argument, str) for argument in arguments)
        and isinstance(variables, list)
        and all(isinstance(v, dict) and isinstance(v.get("name"), str) for v in variables)
        and all(isinstance(v.get("value"), str) for v in variables)
    )
    if not good or not isinstance(command, str) or not command:
        accepted = "command and apiVersion as texts, args as a list of texts, env as a list of names and values"
        yield Problem(where, f"exec of user {name!r} in {entry.file}", accepted)
    elif shutil.which(command) is None:
        hint = (
            f" ({' '.join(helper['installHint'].split())[:200]})" if isinstance(helper.get("installHint"), str) else ""
        )
        found = f"the login helper {Path(command).name} of user {name} was not found{hint}"
        yield Problem(where, found, "a command that is installed here")


def _bad_certificate(kind: str, name: str, entry: Entry, where: str, now: datetime) -> Iterator[Problem]:
    """Yield that a certificate is missing, malformed or not valid now; a user's own, or the cluster's authority."""
    stem = "client-certificate" if kind == "user" else "certificate-authority"
    what = f"the {stem.replace('-', ' ')} of {kind} {name!r} in {entry.file}"
    try:
        if entry.body.get(f"{stem}-data"):
            pem = base64.b64decode(entry.body[f"{stem}-data"], validate=True)
        elif entry.body.get(stem):
            pem = Path(entry.body[stem]).read_bytes()
        else:
            return
        certificate = x509.load_pem_x509_certificate(pem)
    except OSError as error:
        yield Problem(where, f"{what}: {error.strerror}", "a readable certificate")
        return
    except (binascii.Error, ValueError):
        yield Problem(where, f"{what}: no certificate", "a certificate in PEM")
        return
    if now > certificate.not_valid_after_utc:
        yield Problem(where, f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", "a valid one")
    elif now < certificate.not_valid_before_utc:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield Problem(where, f"{what} is not valid before {begins}", "a valid one (is this machine's clock right?)")


def _kind_of(value: Any) -> str:
    """Return what kind of thing stands there; never the thing, which may be a secret."""
    if value is None:
        return "nothing"
    for shape, words in ((dict, "a mapping"), (list, "a list"), (str, "a text"), (bool, "true or false")):
        if isinstance(value, shape):
            return words
    return "a number" if isinstance(value, int | float) else "something else"
