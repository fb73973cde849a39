"""The page: right in what it says first, whole without a network, and standing up to whatever a journal holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from paper_runs import Recorder, census, core_run, edge, ledger, put_load, side

from seatrial.faults.registry import KINDS
from seatrial.model.journal import EventKind
from seatrial.reporting import write_all
from seatrial.reporting.story import EQUIPMENT

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order; keeps its words and what it links to."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a handler"
            if name in ("href", "src", "action", "data", "xlink:href"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page in one line."""
        return " ".join(" ".join(self.words).split())


def report(folder: Path) -> tuple[Page, str]:
    write_all(folder)
    html = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    targets = {link[1:] for link in page.links if link.startswith("#")}
    assert targets <= set(page.ids), "a link leads nowhere"
    for drawing in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ET.fromstring(drawing)  # noqa: S314 - our own
    return page, html


def test_a_kept_trial_says_so_first(tmp_path: Path) -> None:
    """Verdict, faults, longest outage, writes: all on the first screen."""
    page, _ = report(core_run(tmp_path / "run"))
    start = page.text[:900]
    assert "lab-core keeps all 9 promises, under load and through 3 faults." in start
    assert "3 faults injected all undone and proven gone" in start
    assert "2.36 s longest outage path sql, during kill_process" in start
    assert "2,745 acknowledged writes all found afterwards" in start


def test_a_broken_trial_names_what_broke_who_did_it_and_for_how_long(tmp_path: Path) -> None:
    """The worst comes first; the culprit stands on the map; lost writes are named; blindness is not hidden."""
    page, html = report(core_run(tmp_path / "run", broken=True))
    assert "lab-core breaks 2 of 9 promises: API-1 and DB-5; OPS-3 could not be judged." in page.text
    rows = re.findall(r'<td><b class="id">([A-Z0-9-]+)</b>', html)
    assert rows[:3] == ["API-1", "DB-5", "OPS-3"]
    drawing = re.search(r'<svg[^>]*class="map".*?</svg>', html, re.DOTALL)
    assert drawing is not None
    assert "✕ reports-reader" in drawing[0]
    assert 'class="line forbidden"' in drawing[0]
    assert "1201 in openstack-galera-2: acknowledged, and not there" in page.text
    assert "connections of pod/openstack/memcached-0 exec forbidden" in page.text
    assert "keystone.answer of pod/openstack/keystone-1 Unreachable: no answer within 5 s" in page.text


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    """Every link stays on the page, and its own policy forbids the rest."""
    page, html = report(core_run(tmp_path / "run", broken=True))
    assert all(link.startswith(("#", "data:,")) for link in page.links)
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert "url(http" not in html


EVIL = "</script><img src=x onerror=alert(1)>'\"&<b>{{ 7*7 }}"


def test_whatever_a_deployment_says_is_only_ever_text(tmp_path: Path) -> None:
    """Names, errors, reasons and values of a hostile deployment are shown, not obeyed."""
    run = Recorder(tmp_path / "run", requirements=("API-1",), target=f"lab {EVIL}")
    run.phase("x", EVIL)
    edges = [edge(side(EVIL, EVIL), side("galera", EVIL), 3306, EVIL, 2, via=EVIL)]
    seen = run.observe("census", EVIL, census([*edges], unread=(EVIL,)), excerpt=EVIL)
    run.observe(EVIL, EVIL, error=EVIL)
    run.observe("ledger", EVIL, {**ledger("x", 3), "kind": EVIL, "lost": [{"id": EVIL, "where": EVIL}]})
    run.hurt(EVIL, EVIL, hold=2)
    run.outage(EVIL, 0, 2, (1, 1.5))
    run.judge("API-1", "violates", EVIL, (seen,), scenario=EVIL, violating=(EVIL,))
    run.wait(1)
    page, html = report(run.save(state=f"cut short: {EVIL}"))
    assert "<img" not in html
    assert "<b>{{ 7*7 }}" not in html
    assert "{{ 7*7 }}" in page.text
    for name in ("junit.xml", "sign-off.md"):
        assert "<img" not in (tmp_path / "run" / name).read_text(encoding="utf-8")


def test_nothing_secret_reaches_any_file(tmp_path: Path) -> None:
    """An error that quotes a password or a token is shown without it, wherever it would come up."""
    said = "Traceback: mysql+pymysql://keystone:hunter2hunter2@openstack.svc/ failed, password='hunter2hunter2'"
    run = Recorder(tmp_path / "run", requirements=("DB-5",))
    run.phase("x", said)
    seen = run.observe("outage", "path/sql", {"password": "hunter2hunter2"}, excerpt=said)
    run.observe("galera.status", said, error=said)
    run.hurt("kill_process", said, hold=1, undo=False)
    run.judge("DB-5", "violates", said, (seen,), scenario=said, violating=(said,))
    folder = run.save(state="cut short: " + said)
    write_all(folder)
    for name in ("report.html", "junit.xml", "sign-off.md"):
        assert "hunter2" not in (folder / name).read_text(encoding="utf-8"), name


def test_an_empty_run_is_no_pass(tmp_path: Path) -> None:
    """No event at all: the page comes out, and says that nothing was judged."""
    page, _ = report(Recorder(tmp_path / "run", requirements=()).save(inventory=False, state="running"))
    assert "Nothing was judged of lab-core." in page.text
    assert "This run did not come to its end" in page.text
    for empty in ("No fault was injected", "No ledger was kept", "No census was taken"):
        assert empty in page.text


def test_a_killed_run_tells_what_it_has_and_what_is_still_hurt(tmp_path: Path) -> None:
    """No verdict in run.json, a fault not undone, a path stretch without a measurement: all of it is shown."""
    run = Recorder(tmp_path / "run")
    seen = run.observe("keystone.answer", "pod/openstack/keystone-0", {"status": 200})
    run.judge("API-3", "violates", "keystone-0 answers without a token", (seen,), scenario="a", violating=("pod/a/b",))
    run.phase("disrupt", "b")
    run.wait(3)
    run.hurt("pause_process", "pod/openstack/openstack-galera-1", hold=4, undo=False)
    run.event(EventKind.PATH, {"path": "sql", "from": run.at(4), "to": run.at(5.5), "outcome": "fail", "detail": "no"})
    run.event(EventKind.PATH, {"path": "sql", "from": run.at(5.5), "to": run.at(7), "outcome": "unknown"})
    page, html = report(run.save(state="running", inventory=False, verdicts=False))
    assert "lab-core breaks 1 of 9 promises: API-3" in page.text
    assert "! The deployment may still be hurt: openstack-galera-1 is frozen since 09:26:56 UTC" in page.text
    assert "seatrial undo" in page.text[:400]
    assert "1.50 s longest outage path sql, during pause_process" in page.text
    assert "Not judged at all: API-1, DB-4" in page.text
    assert 'class="blind"' in html
    assert 'class="band band-open"' in html


def test_the_harness_own_things_are_no_faults_but_must_be_gone_too(tmp_path: Path) -> None:
    """An agent's pod is put in and taken out like a fault; it hurts nobody, yet must not stay."""
    run = Recorder(tmp_path / "run", requirements=())
    run.hurt("agent_pod", "pod/openstack/seatrial-agent", hold=1)
    run.hurt("sql_schema", "schema/seatrial", hold=1, undo=False, number=2)
    page, _ = report(run.save(inventory=False))
    assert "0 faults injected" in page.text
    assert "Something of the harness's own is still in the deployment: sql_schema seatrial" in page.text


def test_every_kind_of_equipment_is_known_to_the_report() -> None:
    """A new kind of equipment must not show up as a fault that was injected."""
    fixtures = {kind for kind, make in KINDS.items() if "fixture_" in make.__module__}
    assert fixtures == EQUIPMENT


def test_odd_values_of_probes_are_passed_over(tmp_path: Path) -> None:
    """A report must come out of any journal that can be read: judging oddities is a check's work."""
    run = Recorder(tmp_path / "run", requirements=("DB-5",))
    odd = [None, 7, "x", [], {"edges": 3}, {"edges": [None, {"from": 1}, {"from": {}, "to": {"service": 3}}]}]
    odd += [{"outages": [{"from": "yesterday"}], "from": run.at(3), "to": run.at(1)}, {"lost": "all", "found": 3}]
    for probe in ("census", "outage", "ledger", "fault.took_hold", "galera.status"):
        for value in odd:
            run.observe(probe, "subject", value)
    run.event(EventKind.LOAD, {"t": 5, "requests": "many"})
    run.event(EventKind.PATH, {"path": None})
    run.event(EventKind.UNDONE, {"injection": "i-404"})
    page, _ = report(run.save())
    assert "unproven" in page.text


@pytest.mark.parametrize("edges", [150, 3000])
def test_a_crowded_map_still_shows_who_breaks_the_rules(tmp_path: Path, edges: int) -> None:
    """Allowed lines are joined when there are too many; forbidden ones keep their names; the table has all."""
    run = Recorder(tmp_path / "run", requirements=())
    many = [edge(side(f"s{n % 40}", f"c{n}"), side("keystone", "keystone"), 5000, "http", n) for n in range(edges)]
    bad = edge(side("reports", "reports-reader"), side("nova", "nova-conductor"), 8775, "http", 3)
    run.observe("census", "deployment/x", census([*many, bad]))
    run.wait(1)
    page, html = report(run.save())
    drawing = re.search(r'<svg[^>]*class="map".*?</svg>', html, re.DOTALL)
    assert drawing is not None
    assert "✕ reports-reader" in drawing[0]
    assert f"All {edges + 1:,} kinds of connection" in page.text
    assert "allowed ones are joined by service" in page.text
    assert len(html) < 3_000_000


def test_a_long_journal_makes_a_small_page(tmp_path: Path) -> None:
    """Figures are joined, evidence is cut to the page's share; the page says what it leaves out."""
    run = Recorder(tmp_path / "run", requirements=("API-3", "DB-5"))
    put_load(run, 3_000)
    excerpt = "x" * 3_000
    asked = []
    for number in range(3_000):
        run.wait(0.02)
        asked.append(run.observe("keystone.answer", "pod/openstack/keystone-0", {"n": number}, excerpt=excerpt[:99]))
    for number in range(300):
        run.outage("http", number * 2, number * 2 + 2, (number * 2 + 0.5, number * 2 + 0.6))
    for number in range(6_000):
        stretch = {"path": "sql", "from": run.at(number / 100), "to": run.at((number + 1) / 100), "outcome": "ok"}
        run.event(EventKind.PATH, stretch)
    big = run.observe("census", "deployment/x", {"edges": [], "blob": ["y" * 100] * 50_000})
    run.judge("API-3", "conforms", "all answered 401", (*asked, big), scenario="s")
    run.judge("DB-5", "conforms", "all there", (big,), scenario="s")
    page, html = report(run.save())
    assert len(html) < 3_000_000
    assert "observations more in journal.jsonl" in page.text
    assert "characters more in journal.jsonl" in page.text
