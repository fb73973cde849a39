"""Reads the parameters of a fault, as a journal or a person wrote them, and gathers everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from seatrial.model.errors import BadInput, Problem
from seatrial.model.fault import Pick, Selector
from seatrial.model.observation import Json


class Given:
    """Parameters of one fault, taken one by one."""

    def __init__(self, where: str, parameters: Mapping[str, Json]) -> None:
        self._where = where
        self._parameters = parameters
        self._known: list[str] = []
        self._problems: list[Problem] = []

    def text(self, key: str, default: str | None = None) -> str:
        """Return a required text, or the default."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value:
            self._wrong(key, value, "a name")
            return ""
        return value

    def maybe_text(self, key: str) -> str | None:
        """Return a text, or None when there is none."""
        value = self._take(key)
        if value is not None and not isinstance(value, str):
            self._wrong(key, value, "a name, or nothing")
            return None
        return value or None

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number of at least 0, or the default."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._wrong(key, value, "a whole number, 0 or more")
            return 0
        return value

    def mapping(self, key: str) -> Mapping[str, Json]:
        """Return a required mapping."""
        value = self._take(key)
        if not isinstance(value, dict):
            self._wrong(key, value, "a mapping")
            return {}
        return value

    def items(self, key: str) -> list[Json]:
        """Return a required list."""
        value = self._take(key)
        if not isinstance(value, list):
            self._wrong(key, value, "a list")
            return []
        return value

    def selector(self) -> Selector:
        """Return which instances of which component: ``component``, ``pick`` and, with *named*, ``name``."""
        component = self.text("component")
        written = self.text("pick", Pick.ONE.value)
        name = self.maybe_text("name")
        accepted = [pick.value for pick in Pick]
        if written not in accepted:
            nearest = get_close_matches(written, accepted, n=1)
            where = f"{self._where}.pick"
            self._problems.append(Problem(where, repr(written), ", ".join(accepted), nearest[0] if nearest else None))
            return Selector(component)
        pick = Pick(written)
        if (pick is Pick.NAMED) != (name is not None):
            self._wrong("name", name, f"an instance's name with pick {Pick.NAMED.value!r}, and only with it")
        return Selector(component, pick, name)

    def refuse_rest(self) -> None:
        """Raise BadInput when a key was not taken, or when anything taken was wrong."""
        for key in self._parameters:
            if key not in self._known:
                nearest = get_close_matches(key, self._known, n=1)
                accepted = ", ".join(sorted(self._known)) or "no parameters"
                self._problems.append(
                    Problem(f"{self._where}.{key}", "unknown parameter", accepted, nearest[0] if nearest else None)
                )
        if self._problems:
            raise BadInput(self._problems)

    def _take(self, key: str) -> Json:
        self._known.append(key)
        return self._parameters.get(key)

    def _wrong(self, key: str, value: Json, accepted: str) -> None:
        self._problems.append(Problem(f"{self._where}.{key}", "nothing" if value is None else repr(value), accepted))


def of_selector(selector: Selector) -> dict[str, Json]:
    """Return a selector as parameters that ``Given.selector`` reads back."""
    plain: dict[str, Json] = {"component": selector.component, "pick": selector.pick.value}
    if selector.name is not None:
        plain["name"] = selector.name
    return plain
