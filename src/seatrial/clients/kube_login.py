"""Who we are at one cluster: which files say so, the helper that is asked for it, and how it is renewed.

Used through ``clients.kube.Kube`` only. Helpers (exec plugins) are run here and not by ``kubernetes.config``: its own
way swallows what a helper says when it fails, and waits for it without end.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
import yaml
from kubernetes.client import Configuration
from kubernetes.client.rest import should_bypass_proxies
from kubernetes.config import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader

from seatrial.clients.kubeconfig import Kubeconfig
from seatrial.model.errors import BadInput, NotPermitted, Problem
from seatrial.model.known import KNOWN
from seatrial.model.target import Kubernetes

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts the account of a pod."""
_HELPER_S = 60
_EARLY = timedelta(seconds=30)
_ODD = (ConfigException, OSError, ValueError, TypeError, AttributeError, LookupError, yaml.YAMLError)


class Login:
    """One account at one cluster; safe to share between threads.

    Raises ``BadInput`` when the files do not say enough, ``NotPermitted`` when a helper does not give credentials.
    """

    def __init__(self, kubernetes: Kubernetes, *, service_account: Path = SERVICE_ACCOUNT) -> None:
        self._kubernetes = kubernetes
        self._service_account = service_account
        self._lock = threading.Lock()
        self.where = str(kubernetes)
        """How a person names this way in."""
        loaded = self._load()
        self._helper = loaded.helper
        self.configuration = loaded.configuration

    def headers(self) -> dict[str, str]:
        """Return the headers that say who we are; a token that is about to end has been renewed before."""
        with self._lock:
            if self._helper is not None and (token := self._helper.token()) is not None:
                self.configuration.api_key["BearerToken"] = f"Bearer {token}"
            try:
                return self._headers()
            except _ODD as problem:
                raise NotPermitted(f"{self.where}: the credentials can't be renewed: {_short(problem)}") from problem

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Look for other credentials than those that the platform has just refused; tell whether there are any.

        A helper is asked again; a file is read again, because somebody may have logged in anew.
        """
        with self._lock:
            if self._headers() != dict(refused):
                return True  # another thread has been here
            try:
                fresh = self._load()
            except BadInput:
                return False  # the files are being changed; what was refused is what the person hears of
            # The same name in the same file may mean another cluster by now; that one is none of this trial's.
            if fresh.configuration.host != self.configuration.host:
                return False
            self._helper = fresh.helper
            self.configuration.api_key = fresh.configuration.api_key
            self.configuration.refresh_api_key_hook = fresh.configuration.refresh_api_key_hook
            return self._headers() != dict(refused)

    @property
    def proxy(self) -> str | None:
        """Return the proxy through which this cluster is reached, by the rules of the Kubernetes client."""
        configuration = self.configuration
        bypassed = should_bypass_proxies(configuration.host, configuration.no_proxy or "")
        return None if bypassed else configuration.proxy or None

    # -- below -----------------------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        # This asks the client's own hook as well: tokens of a pod's account are read again as they rotate.
        headers = {a["key"]: a["value"] for a in self.configuration.auth_settings().values() if a["value"]}
        for value in headers.values():
            KNOWN.tell(value.rpartition(" ")[2])  # "Bearer X"
        return headers

    def _load(self) -> _Loaded:
        configuration = Configuration()
        # One retry mends a connection that the server closed while idle; more only make a dead server slow to tell.
        configuration.retries = urllib3.Retry(total=1, status=0, redirect=0)
        configuration.connection_pool_maxsize = 16
        files, helper = self._kubernetes.kubeconfig, None
        try:
            if files is None:
                self._load_service_account(configuration)
            else:
                helper = self._load_kubeconfig(configuration, files)
            self._prepare_proxy(configuration)
        except _ODD as problem:
            accepted = "a readable kubeconfig with that context, its cluster and its user"
            raise BadInput([Problem(f"kubernetes: {self.where}", _short(problem), accepted)]) from problem
        return _Loaded(configuration, helper)

    def _load_service_account(self, configuration: Any) -> None:
        loader = InClusterConfigLoader(
            token_filename=str(self._service_account / "token"),
            cert_filename=str(self._service_account / "ca.crt"),
            environ=os.environ,
        )
        loader.load_and_set(configuration)

    def _load_kubeconfig(self, configuration: Any, files: tuple[Path, ...]) -> _Helper | None:
        merged = Kubeconfig(files)
        context = self._kubernetes.context or merged.current
        self.where = str(Kubernetes(files, context))
        helper = _helper(merged, context)
        KubeConfigLoader(merged.config, active_context=context, config_base_path=None).load_and_set(configuration)
        if helper is not None:
            # The loader's own hook would put the first token back.
            configuration.refresh_api_key_hook = None
        return helper

    def _prepare_proxy(self, configuration: Any) -> None:
        if not configuration.proxy:
            return
        proxy = urlsplit(configuration.proxy)
        if proxy.scheme != "http" or not proxy.hostname:
            found = f"proxy {proxy.scheme}://{proxy.hostname}"
            raise BadInput([Problem(f"kubernetes: {self.where}", found, "a proxy http://HOST:PORT")])
        if proxy.username:
            credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=credentials)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the files say: as the Kubernetes client wants it, and the helper that they name."""

    configuration: Any
    helper: _Helper | None


def _helper(merged: Kubeconfig, context: str | None) -> _Helper | None:
    """Return the helper of a context's user, after its answer has taken the place of its name in the user's entry."""
    chosen = merged.entries("contexts").get(context or "")
    user = merged.entries("users").get(chosen.body.get("user", "")) if chosen else None
    cluster = merged.entries("clusters").get(chosen.body.get("cluster", "")) if chosen else None
    if chosen is None or user is None or cluster is None or "exec" not in user.body:
        return None
    written = user.body.pop("exec")
    if any(user.body.get(key) for key in ("auth-provider", "token", "tokenFile")):
        return None  # these come first, as for kubectl
    helper = _Helper(chosen.body["user"], written, cluster.body)
    user.body.update(helper.first())
    return helper


class _Helper:
    """A login helper, and what it gave last."""

    def __init__(self, user: str, written: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
        self._named = f"the login helper {Path(written['command']).name} of user {user}"
        self._argv = [written["command"], *(written.get("args") or ())]
        self._env = {variable["name"]: variable["value"] for variable in written.get("env") or ()}
        spec: dict[str, Any] = {"interactive": False}
        if written.get("provideClusterInfo"):
            spec["cluster"] = cluster
        self._question = json.dumps({"apiVersion": written["apiVersion"], "kind": "ExecCredential", "spec": spec})
        self._token: str | None = None
        self._ends: datetime | None = None

    def first(self) -> dict[str, str]:
        """Return what it gives, in the words of a kubeconfig's user."""
        status = self._ask()
        if self._token is not None:
            return {"token": self._token}
        try:
            return {
                f"client-{what}-data": base64.b64encode(status[f"client{what.title()}Data"].encode()).decode()
                for what in ("certificate", "key")
            }
        except (KeyError, AttributeError) as lacking:
            raise NotPermitted(f"{self._named} gave neither a token nor a certificate with its key") from lacking

    def token(self) -> str | None:
        """Return a token that lasts a while yet; the last one as long as it lives, should the helper fail."""
        now = datetime.now(UTC)
        if self._token is not None and self._ends is not None and now + _EARLY > self._ends:
            try:
                self._ask()
            except NotPermitted:
                if now > self._ends:
                    raise
        return self._token

    def _ask(self) -> Mapping[str, Any]:
        try:
            done = subprocess.run(
                self._argv,
                env={**os.environ, **self._env, "KUBERNETES_EXEC_INFO": self._question},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_HELPER_S,
                check=False,
            )
        except FileNotFoundError as missing:
            raise NotPermitted(f"{self._named} was not found") from missing
        except OSError as problem:
            raise NotPermitted(f"{self._named} could not be started: {problem.strerror}") from problem
        except subprocess.TimeoutExpired as late:
            # The exception of subprocess holds the output; it must not travel on.
            raise NotPermitted(f"{self._named} did not answer within {late.timeout:g} s") from None
        if done.returncode != 0:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise NotPermitted(f"{self._named} ended with {done.returncode}: {said[-1][:300] if said else 'no word'}")
        return self._take(done.stdout)

    def _take(self, said: str) -> Mapping[str, Any]:
        try:
            status: dict[str, Any] = json.loads(said)["status"]
            ends = status.get("expirationTimestamp")
            self._ends = None if ends is None else datetime.fromisoformat(ends).astimezone(UTC)
            self._token = status.get("token")
        except (ValueError, TypeError, KeyError, AttributeError):
            # What it said may be a secret, in a shape that nobody expected.
            raise NotPermitted(f"{self._named} did not answer with an ExecCredential") from None
        if not isinstance(self._token, str | None):
            raise NotPermitted(f"{self._named} gave a token that is no text")
        return status


def _short(problem: Exception) -> str:
    if isinstance(problem, yaml.YAMLError):
        return "no YAML"  # its text shows the line, and what stands there may be a secret
    return f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
