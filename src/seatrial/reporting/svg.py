"""The few words of SVG that the drawings are made of; every text that enters is cleaned and escaped here."""

from __future__ import annotations

from markupsafe import Markup, escape

from seatrial.journal.sieve import shown

Value = str | int | float


def tag(name: str, *children: str | Markup, **attributes: Value | None) -> Markup:
    """Return one element; ``class_`` is class, ``_`` in other names is ``-``; None leaves an attribute out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(child if isinstance(child, Markup) else escape(shown(child)) for child in children)
    return Markup(f"<{name}{given}>{inner}</{name}>" if inner else f"<{name}{given}/>")  # noqa: S704 - escaped above


def group(children: list[Markup], **attributes: Value | None) -> Markup:
    """Return a group of elements."""
    return tag("g", *children, **attributes)


def picture(children: list[Markup], *, width: float, height: float, label: str, name: str) -> Markup:
    """Return a whole drawing that scales with the page; ``label`` is what a screen reader says, ``name`` its class."""
    return tag(
        "svg",
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        class_=name,
        role="img",
        aria_label=label,
    )


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text of the page's font comes out; generous, for there is no font here to ask."""
    return len(text) * size * 0.6


def _value(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return shown(value) if isinstance(value, str) else str(value)
