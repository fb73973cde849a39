"""Why something did not answer, in the few words that a person acts on, instead of a library's inner life."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Iterator

import urllib3.exceptions
import websocket

from seatrial.model.known import cut

_DEEPEST = 20
_LONGEST = 200
_KNOWN: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (http.client.RemoteDisconnected, "the connection was closed without an answer"),
    (ConnectionError, "the connection was cut"),
    (socket.gaierror, "its name is not known"),
    (TimeoutError, "no answer in time"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (websocket.WebSocketTimeoutException, "no answer in time"),
    (websocket.WebSocketAddressException, "its name is not known"),
    (ssl.SSLError, "it speaks no TLS, or not ours"),
)
_PROXY = (urllib3.exceptions.ProxyError, websocket.WebSocketProxyException)


def why(problem: BaseException) -> str:
    """Return why nothing answered: the words for the innermost cause that has some."""
    causes = list(_causes(problem))
    words = next((said for cause in reversed(causes) if (said := _words(cause))), None)
    if words is None:
        innermost = causes[-1]
        words = f"{type(innermost).__name__}: {cut(' '.join(str(innermost).split()), _LONGEST)}"
    return f"its proxy: {words}" if any(isinstance(cause, _PROXY) for cause in causes) else words


def _words(cause: BaseException) -> str | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({cause.verify_message.rstrip('.')})"
    known = next((words for kind, words in _KNOWN if isinstance(cause, kind)), None)
    if known is None and isinstance(cause, OSError) and cause.errno is not None:
        return os.strerror(cause.errno).lower()
    return known


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """Yield an error and whatever caused it, from the outside in; libraries keep causes in four places."""
    current: BaseException | None = problem
    for _ in range(_DEEPEST):
        if current is None:
            return
        yield current
        inner = (
            getattr(current, "reason", None),
            current.__cause__,
            current.__context__,
            *current.args,
        )
        current = next((cause for cause in inner if isinstance(cause, BaseException)), None)
