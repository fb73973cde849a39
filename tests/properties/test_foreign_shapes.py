"""What a cluster or an agent says in a shape that nobody expected is noted, and ends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from seatrial.clients.kube_exec import _status
from seatrial.discovery.discover import _kept, _Reader
from seatrial.discovery.ownership import Tree
from seatrial.traffic.channel import Channel
from seatrial.traffic.link import Link

WORDS = [
    "k",
    "p",
    "d",
    "s",
    "w",
    "sent",
    "at",
    "unfinished",
    "what",
    "status",
    "details",
    "causes",
    "reason",
    "message",
]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["ExitCode", "pong"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)


@given(st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_status_of_an_exec_is_a_number_and_words(data: bytes) -> None:
    """Also JSON that is no object, or one whose causes are no list."""
    status, why = _status(data)
    assert status >= 0
    assert isinstance(why, str)


class Scripted:
    """A channel that says what it was given, and then ends."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def send(self, line: str) -> None:
        """Hear nothing."""

    def lines(self) -> Iterator[str]:
        """Say everything."""
        yield from self.said

    def complaint(self) -> str:
        """Have none."""
        return ""

    def close(self) -> None:
        """End."""


GOOD = json.dumps({"k": "s", "p": "http", "d": [[1.0, 0.1]]})


@given(st.lists(st.text(max_size=20) | anything.map(json.dumps), max_size=5))
def test_what_an_agent_says_wrongly_does_not_hide_what_it_says_rightly(said: list[str]) -> None:
    """The good line after all the bad ones is heard, and the end of the reading is always known."""
    link = Link(cast("Channel", Scripted([*said, GOOD])), {}, name="a")
    link._threads[0].join(10)
    link.close()
    assert link.samples["http"]
    assert link.broken


odd = st.fixed_dictionaries(
    {},
    optional={
        "spec": anything | st.fixed_dictionaries({"replicas": anything}),
        "status": anything | st.fixed_dictionaries({"observedGeneration": anything, "conditions": anything}),
    },
)


@given(odd)
def test_a_custom_resource_of_any_shape_is_kept_or_a_gap(shape: dict[str, Any]) -> None:
    """One that its operator's authors got wrong does not end the discovery of all the others."""
    metadata = {"name": "x", "namespace": "o", "uid": "u"}
    good = {"apiVersion": "x.openstack.org/v1", "kind": "X", "metadata": {**metadata, "name": "y"}}
    reader = _Reader(cast("Any", None))
    kept = _kept([{**good, "metadata": metadata, **shape}, good], Tree([]), reader)
    assert [resource.name for resource in kept][-1] == "y"
    assert [gap.subject for gap in reader.gaps] == ([] if len(kept) == 2 else ["x/o/x"])
