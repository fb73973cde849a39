"""What may go wrong on a path; anything else is a bug of the agent and is said as such."""

from __future__ import annotations

import http.client
import struct

import pymysql
from amqp.exceptions import AMQPError, MessageNacked

FAILURES = (
    OSError,
    EOFError,
    http.client.HTTPException,
    pymysql.err.Error,
    AMQPError,
    MessageNacked,
    struct.error,
    ValueError,
)
"""A path that fails in one of these ways did not answer. The last two are torn or foreign answers."""


class Unanswered(OSError):
    """Raised when an answer came that says the service can't serve, for example HTTP 503."""
