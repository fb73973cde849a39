"""Commands inside pods, over the platform's exec websocket; used through ``clients.kube.Kube`` only.

The generated client's own websocket helper cannot time out while connecting, and cannot be read by one thread while
another one writes; both are everyday needs here, so this speaks the (small, versioned) channel protocol itself.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
import select
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import websocket

from seatrial.clients.kube_login import Login
from seatrial.clients.unanswered import why
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.known import cut

_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
_CONNECT_S = 10.0
_CHUNK = 64 * 1024
_NOT_STARTED = 128
_NUMBER = re.compile(r"[0-9]{1,9}")
_LOST = (websocket.WebSocketException, OSError)


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command in a pod wrote, and how it ended."""

    stdout: str
    stderr: str
    status: int


class Wire:
    """How exec connections to one cluster are opened."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._options = {**_tls(login.configuration), **_proxied(login.proxy)}

    def open(self, path: str, what: str) -> websocket.WebSocket:
        """Open the websocket of one exec, or say who must act."""
        who = self._login.headers()
        try:
            try:
                return self._connect(path, who)
            except websocket.WebSocketBadStatusException as refused:
                if refused.status_code != HTTPStatus.UNAUTHORIZED or not self._login.renew(who):
                    raise
                return self._connect(path, self._login.headers())
        except websocket.WebSocketBadStatusException as refused:
            raise _refusal(refused, what) from refused
        except _LOST as problem:
            host = self._login.configuration.host
            raise Unreachable(f"could not open {what}: {host} does not answer: {why(problem)}") from problem

    def _connect(self, path: str, who: Mapping[str, str]) -> websocket.WebSocket:
        connection = websocket.WebSocket(sslopt=self._options["sslopt"], skip_utf8_validation=True)
        url = "ws" + self._login.configuration.host.removeprefix("http") + path
        options = {name: value for name, value in self._options.items() if name != "sslopt"}
        connection.connect(  # type: ignore[no-untyped-call]
            url,
            suppress_origin=True,
            header=[f"{name}: {value}" for name, value in who.items()],
            subprotocols=_PROTOCOLS,
            timeout=_CONNECT_S,
            **options,
        )
        return connection


class ExecStream:
    """A command running in a pod; one thread may read its lines while another sends."""

    def __init__(
        self, wire: Wire, pod: str, argv: Sequence[str], *, namespace: str, container: str | None = None
    ) -> None:
        self._what = f"exec of {argv[0]!r} in pod {namespace}/{pod}"
        self._connection = wire.open(_path(pod, argv, namespace=namespace, container=container, stdin=True), self._what)
        self._socket: Any = self._connection.sock
        self._connection.settimeout(_CONNECT_S)
        # OpenSSL objects must not be read and written at once; waiting for input happens outside this lock.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._errors = bytearray()
        self.status: int | None = None
        self.refusal = ""

    @property
    def is_open(self) -> bool:
        """Tell whether the command still runs, as far as is known."""
        return not self._ended.is_set()

    @property
    def stderr(self) -> str:
        """Return what the command has written to its standard error so far."""
        return self._errors.decode(errors="replace")

    def send(self, data: bytes) -> None:
        """Write to the command's standard input; raises ``Unreachable`` when the connection is gone."""
        try:
            for start in range(0, len(data), _CHUNK):
                with self._lock:
                    self._connection.send_binary(bytes([_STDIN]) + data[start : start + _CHUNK])
        except _LOST as problem:
            self._ended.set()
            raise Unreachable(f"{self._what}: connection lost while sending: {problem}") from problem

    def lines(self) -> Iterator[str]:
        """Yield lines of standard output as they come, until the command ends or the stream is closed."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        rest = ""
        while (frame := self.frame(None)) is not None:
            channel, data = frame
            if channel != _STDOUT:
                continue
            rest += decoder.decode(data)
            *whole, rest = rest.split("\n")
            yield from whole
        if rest:
            yield rest

    def frame(self, deadline: float | None) -> tuple[int, bytes] | None:
        """Return the next (channel, data), None at the end; raises ``TimeoutError`` after ``deadline`` (monotonic)."""
        while not self._ended.is_set():
            self._wait(deadline)
            if self._ended.is_set():
                return None
            try:
                with self._lock:
                    opcode, frame = self._connection.recv_data_frame(control_frame=True)
            except _LOST as problem:
                if self._ended.is_set():
                    return None
                self._ended.set()
                raise Unreachable(f"{self._what}: connection lost: {problem}") from problem
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self._ended.set()
            elif opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) and frame.data:
                channel, data = frame.data[0], bytes(frame.data[1:])
                if channel == _STATUS:
                    self.status, self.refusal = _status(data)
                elif channel == _STDERR:
                    self._errors += data
                if channel in (_STDOUT, _STDERR) and data:
                    return channel, data
        return None

    def close(self) -> None:
        """End the connection; the command sees the end of its input. Harmless when it has ended already."""
        self._ended.set()
        # Closing politely would wait for an answer that a frozen pod never gives.
        self._connection.shutdown()  # type: ignore[no-untyped-call]

    def _wait(self, deadline: float | None) -> None:
        """Wait until something can be read, without holding the lock."""
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
        except (OSError, ValueError):
            self._ended.set()
            return
        while not self._ended.is_set():
            # Bytes that TLS has already decrypted are invisible to poll.
            if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                return
            left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"{self._what}: no answer in time")
            if poll.poll(left * 1000):
                return


def run(
    wire: Wire,
    pod: str,
    argv: Sequence[str],
    *,
    namespace: str,
    container: str | None,
    stdin: bytes | None,
    timeout_s: float,
) -> ExecResult:
    """Run a command in a pod to its end and return what it wrote."""
    deadline = time.monotonic() + timeout_s
    if stdin is not None:
        # Protocol v4 cannot close stdin; head ends the input after exactly as many bytes as were sent.
        argv = ["sh", "-c", 'n=$1; shift; head -c "$n" | "$@"', "sh", str(len(stdin)), *argv]
    stream = ExecStream(wire, pod, argv, namespace=namespace, container=container)
    output = bytearray()
    try:
        if stdin:
            stream.send(stdin)
        while (frame := stream.frame(deadline)) is not None:
            if frame[0] == _STDOUT:
                output += frame[1]
    except TimeoutError as late:
        raise Unreachable(f"{late} ({timeout_s:g} s)") from late
    finally:
        stream.close()
    if stream.status is None:
        raise Unreachable(f"exec in pod {namespace}/{pod} broke off without a status")
    # A command that did not start writes nothing; why is in the platform's own words.
    return ExecResult(output.decode(errors="replace"), stream.stderr or stream.refusal, stream.status)


def _path(pod: str, argv: Sequence[str], *, namespace: str, container: str | None, stdin: bool) -> str:
    query = [("command", part) for part in argv] + [("stdout", "true"), ("stderr", "true")]
    if stdin:
        query.append(("stdin", "true"))
    if container:
        query.append(("container", container))
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{urlencode(query)}"


def _status(data: bytes) -> tuple[int, str]:
    """Return the exit status and, for a command that did not even start (status 128), why."""
    try:
        answer = json.loads(data)
        if answer.get("status") == "Success":
            return 0, ""
        for cause in (answer.get("details") or {}).get("causes") or []:
            if cause.get("reason") == "ExitCode" and _NUMBER.fullmatch(str(cause.get("message", ""))):
                return int(cause["message"]), ""
        return _NOT_STARTED, cut(str(answer.get("message", "")), 300)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return _NOT_STARTED, "malformed status"


def _refusal(refused: websocket.WebSocketBadStatusException, what: str) -> Exception:
    body = refused.resp_body or b""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    with contextlib.suppress(ValueError, AttributeError):
        text = str(json.loads(text).get("message", text))
    message = f"the platform answered {refused.status_code} to {what}: {text[:300]}"
    if refused.status_code in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
        return NotPermitted(message)
    return Unreachable(message)


def _tls(configuration: Any) -> dict[str, Any]:
    """Return how the server's certificate is looked at, in the words of the websocket library."""
    if not configuration.host.startswith("https"):
        return {"sslopt": {}}
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    sslopt: dict[str, Any] = {"context": context}
    if configuration.tls_server_name:
        sslopt["server_hostname"] = configuration.tls_server_name
    return {"sslopt": sslopt}


def _proxied(proxy: str | None) -> dict[str, Any]:
    """Return through which proxy, in the words of the websocket library; never one that it would choose itself."""
    if proxy is None:
        # A host must be named for the second word to be heard; else the library asks the environment itself.
        return {"http_proxy_host": "none", "http_no_proxy": ["*"]}
    url = urlsplit(proxy)
    credentials = (unquote(url.username), unquote(url.password or "")) if url.username else None
    return {
        "http_proxy_host": url.hostname,
        "http_proxy_port": url.port or 80,
        "http_proxy_auth": credentials,
        # Whether the proxy is to be passed by was decided by the Kubernetes client's rules; an empty list here would
        # have this library decide again, by its own.
        "http_no_proxy": ["-"],
    }
