"""What a person reads first, woken up by a red run: hurt or whole, the command, the cause; on page, terminal, paper."""

from __future__ import annotations

import html as markup
import io
import json
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from paper_runs import OPERATORS, RECIPE, Recorder, core_run, freeze_operators, red_run
from rich.console import Console

from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import open_injections
from seatrial.journal.sieve import shown
from seatrial.model.journal import EventKind
from seatrial.model.observation import Json
from seatrial.reporting import show, write_all
from seatrial.reporting.brief import MOST, brief, few, nick
from seatrial.reporting.story import Story
from seatrial.reporting.summary import By, Summary, summarise
from seatrial.reporting.writing import read

COMMAND = re.compile(r"seatrial (undo|run) |report: ")
VOID = {"meta", "link", "br"}
BLOCKS = {"p", "li", "td", "th", "dd", "dt", "h1", "h2", "h3", "summary", "figcaption", "text", "pre", "div", "title"}


class Open(HTMLParser):
    """Reads a page as somebody sees it who unfolds nothing: the lines that stand outside every fold."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path: list[tuple[str, dict[str, str]]] = []
        self.lines: list[tuple[str, str]] = []
        self.words: list[tuple[str, str]] = []
        self.bare: list[str] = []
        self._link: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given_ = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.path.append((tag, given_))
        if tag in BLOCKS:
            self.lines.append((self.where, ""))
        if tag == "a":
            self._link = []

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop()[0] == tag
        if tag in BLOCKS:
            self.lines.append((self.where, ""))
        if tag == "a" and self._link is not None:
            self.bare += [self.where] if not "".join(self._link).strip() else []
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._link.append(data)
        if self.folded or (self.path and self.path[-1][0] in ("style", "script")):
            return
        if self.path and self.path[-1][0] == "title" and any(tag == "svg" for tag, _ in self.path):
            return
        if data.strip():
            self.words.append((self.where, " ".join(data.split())))
        where, line = self.lines.pop() if self.lines else (self.where, "")
        self.lines.append((where, line + data))

    @property
    def folded(self) -> bool:
        """Tell whether this stands inside a fold; what a fold is called stands outside of it."""
        folds = [index for index, (tag, _) in enumerate(self.path) if tag == "details"]
        summaries = [index for index, (tag, _) in enumerate(self.path) if tag == "summary"]
        return len(folds) > len(summaries) if folds else False

    @property
    def where(self) -> str:
        return "/".join(f"{tag}.{given_.get('class', '')}" for tag, given_ in self.path)

    def inside(self, part: str, *, but: str = "-") -> list[str]:
        """Return the lines of one part of the page, as they are seen."""
        lines = [line for where, line in self.lines if part in where and but not in where]
        return [" ".join(line.split()) for line in lines if line.strip()]


def printed(folder: Path, width: int | None = None) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=width is not None, width=width, no_color=True, highlight=False)
    show(folder, console)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    return plain.rstrip("\n").split("\n")


def told(folder: Path) -> tuple[Story, Summary]:
    story, _ = read(folder)
    return story, summarise(story)


def red(path: Path) -> Path:
    folder = red_run(path)
    write_all(folder)
    return folder


def test_the_last_twelve_lines_are_enough_at_three_in_the_morning(tmp_path: Path) -> None:
    """Hurt since when, verdict, who cut it short, the cause, by hand, the report, and last the command."""
    folder = red(tmp_path / "run")
    for width in (None, 80, 100):
        text = " ".join(" ".join(printed(folder, width)[-12:]).split())
        assert "NOW ! The deployment may still be hurt: 10 operators are frozen since 09:26:56 UTC" in text
        assert "VERDICT ✕ lab-core breaks 1 of 9 promises: DB-4" in text
        assert "verdicts: 1 violates, 7 inconclusive, 1 conforms, 0 not applicable" in text
        assert "ENDED cut short by the harness in scenario 2 of 2" in text
        assert "CAUSE 10 operators (pause_process) could not be taken back: GET wss://10.0.0.1:6443/…/exec: no" in text
        assert "BY HAND kill -CONT 7 in container manager of infra-operator-controller-manager-569f97f476-r0vtk" in text
        assert f"(+9 more) report: {folder}/report.html seatrial undo {folder}" in text


def test_the_first_screen_says_the_same_in_short_names(tmp_path: Path) -> None:
    """Names in full, what to do by hand for each, and the recipe are one fold away; never in sight."""
    folder = red(tmp_path / "run")
    page = (folder / "report.html").read_text(encoding="utf-8")
    seen = Open(page)
    first = " ".join(seen.inside("div.first"))
    assert "! The deployment may still be hurt: 10 operators are frozen since 09:26:56 UTC" in first
    assert f"seatrial undo {tmp_path.name}/run" in first
    assert "infra-operator-…-r0vtk, keystone-operator-…-r1vtk, +8 more" in first
    assert "by hand, if that fails: kill -CONT 7 in container manager of infra-operator" in first
    assert "+9 more by hand" in first
    assert "cut short by the harness in scenario 2 of 2" in first
    assert "again run what could not be judged once more" in first
    assert "seatrial run acceptance --target" in first
    for name in OPERATORS[2:]:
        assert nick(name) not in " ".join(seen.inside(""))
        assert name in page
    assert RECIPE in page
    assert RECIPE not in " ".join(seen.inside(""))
    for other in ("sign-off.md", "junit.xml"):
        assert RECIPE not in (folder / other).read_text(encoding="utf-8"), other
    assert RECIPE not in "\n".join(printed(folder))


def test_a_command_is_never_cut(tmp_path: Path) -> None:
    """One that has lost its end is none: it stands on a line of its own, to be pasted."""
    command = f"kubectl exec -n openstack-operators {'x' * 63} -c manager -- kill -CONT 7 9 11 13 15 17 19 21 23 25 27"
    run = Recorder(tmp_path / "run")
    run.hurt("pause_process", "pod/openstack/a", hold=1, undo=False, by_hand=(command, "more"))
    folder = run.save(state="running")
    write_all(folder)
    for width in (None, 80, 100):
        assert command in printed(folder, width)
    assert command in Open((folder / "report.html").read_text(encoding="utf-8")).inside("div.command")[1]
    assert f"by hand: {command}" in (folder / "sign-off.md").read_text(encoding="utf-8")


def test_who_cut_a_run_short_is_told_by_whether_anybody_could_look(tmp_path: Path) -> None:
    """Still there is the deployment's; no answer to the one who looks is not; a person is a person."""
    cases = {
        "harness": (red_run(tmp_path / "a"), By.HARNESS, "undo_failed"),
        "deployment": (red_run(tmp_path / "b", seen=True), By.DEPLOYMENT, "undo_failed"),
        "short": (red_run(tmp_path / "c", state="undo_failed: 10 operators"), By.HARNESS, "undo_failed"),
    }
    for number, state in enumerate(("cut short: interrupted", "interrupted: asked to end by SIGTERM")):
        cases[state] = (Recorder(tmp_path / f"i{number}").save(state=state), By.PERSON, "interrupted")
    cases["other"] = (Recorder(tmp_path / "o").save(state="cut short: no load"), By.HARNESS, "cut_short")
    cases["killed"] = (Recorder(tmp_path / "k").save(state="running"), By.NOBODY, "running")
    cases["whole"] = (core_run(tmp_path / "w"), By.NOBODY, "complete")
    for name, (folder, by, kind) in cases.items():
        ending = told(folder)[1].ending
        assert (ending.by, ending.kind) == (by, kind), name


def test_a_whole_deployment_is_called_whole_with_the_time_at_which_that_was_seen(tmp_path: Path) -> None:
    """The proof of the last fault is what is known; a run that hurt nothing says so."""
    _, summary = told(core_run(tmp_path / "run"))
    assert summary.now == "Whole: all 3 faults are taken back, the last seen gone at 2026-03-14 09:28:18 UTC"
    assert (summary.undo, summary.cause, summary.by_hand) == ("", "", ())
    assert [step.about for step in summary.next] == ["sign"]
    _, calm = told(Recorder(tmp_path / "calm").save())
    assert calm.now == "Whole: nothing was broken on purpose, and nothing is left behind"


def test_what_a_later_undo_took_back_leaves_its_trace(tmp_path: Path) -> None:
    """Whole now; the document still tells that it was not, and the one that said so first stays as it was."""
    run = Recorder(tmp_path / "run", suite="acceptance")
    freeze_operators(run)
    run.fail_undo("i-1", "no answer")
    state = "cut short: pause_process of x (i-1) could not be taken back"
    run.event(EventKind.ENDED, {"reason": state})
    folder = run.save(state=state)
    write_all(folder)
    before = (folder / "sign-off.md").read_bytes()
    run.process += 1
    run.wait(60)
    run.undo("i-1", "pause_process", OPERATORS[0])
    later = Recorder(tmp_path / "later", events=run.events, now=run.now, verdicts=run.verdicts)
    shutil.copy(later.save(state=state) / "journal.jsonl", folder / "journal.jsonl")
    write_all(folder)
    assert (folder / "sign-off.md").read_bytes() == before
    assert b"may still be hurt" in before
    now = (folder / "sign-off-2.md").read_text(encoding="utf-8")
    assert "✓ Whole: the one fault is taken back, the last seen gone at 2026-03-14 09:28:47 UTC, by a later undo" in now
    assert "could not be taken back at first; taken back at 2026-03-14 09:28:47 UTC" in now
    assert printed(folder)[-1] == f"report: {folder / 'report.html'}"
    write_all(folder)
    assert not (folder / "sign-off-3.md").exists()


def test_the_document_names_thresholds_that_are_not_the_usual_ones(tmp_path: Path) -> None:
    """A verdict within a budget of the target's own is not the same verdict."""
    folder = core_run(tmp_path / "run")
    write_all(folder)
    text = (folder / "sign-off.md").read_text(encoding="utf-8")
    assert "- **failover 10.0 s**, less than the usual 30.0 s" in text
    assert "- operator\\_reconcile 1 min 00 s" in text


def test_junit_has_one_case_a_requirement_and_its_messages_are_lines(tmp_path: Path) -> None:
    """The details, and what is so now, stand in the output."""
    folder = red(tmp_path / "run")
    suite = ET.parse(folder / "junit.xml").getroot().find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    cases = suite.findall("testcase")
    assert len({case.get("classname") for case in cases}) == len(cases) == 9
    ends = [end for case in cases for end in (*case.findall("failure"), *case.findall("error"))]
    assert len(ends) == 8
    assert all(len(end.get("message") or "x" * 999) <= MOST for end in ends)
    said = suite.findtext("system-out") or ""
    assert said.splitlines()[0].startswith("NOW: The deployment may still be hurt")
    assert said.splitlines()[-1] == f"seatrial undo {tmp_path.name}/run"
    assert sum(line.startswith("BY HAND: ") for line in said.splitlines()) == 10
    states = [one.get("value") for one in suite.iter("property") if one.get("name") == "state"]
    assert states == ["cut short by the harness in scenario 2 of 2"]


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=400)
NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,200}[a-z0-9]", fullmatch=True)
SUBJECTS = st.lists(st.builds("pod/{}/{}".format, NAMES, NAMES), min_size=1, max_size=12, unique=True)


@st.composite
def runs(draw: st.DrawFn) -> Path:
    """A run of any names and messages, some of whose faults were taken back, some not, some in vain."""
    place = Path(tempfile.mkdtemp())
    run = Recorder(place / "run", requirements=("API-1", "DB-5", "OPS-3"), target=draw(NAMES))
    run.phase("disrupt", draw(WORDS))
    for number in range(draw(st.integers(0, 3))):
        subjects = draw(SUBJECTS)
        kind = draw(st.sampled_from(("pause_process", "delete_pod", "agent_pod")) | NAMES)
        by_hand = tuple(draw(WORDS) for _ in subjects) if draw(st.booleans()) else ()
        end = draw(st.sampled_from(("undone", "open", "failed", "seen")))
        recipe: dict[str, Json] = {"processes": [RECIPE]}
        run.hurt(kind, *subjects, hold=1, undo=end == "undone", number=number, recipe=recipe, by_hand=by_hand)
        if end in ("failed", "seen"):
            run.fail_undo(f"i-{number}", f"{draw(WORDS)} {json.dumps({RECIPE: [RECIPE]})}", seen=end == "seen")
    seen = run.observe(draw(NAMES), draw(NAMES), error=draw(WORDS) or "x")
    run.outage(draw(NAMES), 0, 1, (0.2, 0.4))
    if draw(st.booleans()):
        run.judge("API-1", "violates", draw(WORDS), (seen,), scenario=draw(WORDS), violating=tuple(draw(SUBJECTS)))
    run.wait(1)
    state = draw(st.sampled_from(("complete", "running", "cut short: interrupted")) | WORDS)
    return run.save(state=state)


# Without shrinking: a run is written, told and printed three times for each example.
@settings(max_examples=15, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(runs())
def test_whatever_a_run_says_it_stays_short_and_ends_with_what_to_do(folder: Path) -> None:
    """No line is longer than 120 but a command, no word is broken, and the last line is undo if anything is open."""
    write_all(folder)
    opened = open_injections(RunFolder(folder).events())
    _, summary = told(folder)
    assert summary.hurt is bool(opened)
    lines = printed(folder)
    assert lines[-1] == (f"seatrial undo {folder}" if opened else f"report: {folder / 'report.html'}")
    pasted = {shown(line) for line in summary.by_hand}
    assert all(len(line) <= MOST for line in lines if not COMMAND.match(line) and line not in pasted), lines
    last = "\n".join(lines[-12:])
    assert "NOW      " in last
    assert "verdicts: " in last
    assert ("BY HAND  " in last) == bool(summary.by_hand)
    assert RECIPE not in "\n".join(lines)
    for width in (80, 100):
        narrow = printed(folder, width)
        assert " ".join(narrow).split() == " ".join(lines).split(), "a word was broken"
    for one in (*summary.tried, summary.now, summary.verdict, summary.cause, summary.ending.words):
        assert len(one) <= MOST
    page = Open((folder / "report.html").read_text(encoding="utf-8"))
    assert page.bare == []
    for line in page.inside("div.first", but="div.command"):
        assert len(line) <= MOST, line


def test_nothing_long_stands_outside_a_fold_of_the_page(tmp_path: Path) -> None:
    """Whatever the journal holds: a text of its own is a line, or one fold away."""
    long = "q" * 40 + " " + "q" * 400
    run = Recorder(tmp_path / "run", requirements=("API-1",), target=long, suite=long)
    run.phase("x", long)
    run.hurt(long, *[f"pod/{long}/{long}{n}" for n in range(12)], hold=1, component=long)
    seen = run.observe(long, long, error=long)
    run.outage(long, 0, 3, (1, 2))
    run.observe("ledger", long, {"kind": long, "acknowledged": 3, "found": {f"{long}{n}": 1 for n in range(9)}})
    run.judge("API-1", "inconclusive", long, (seen,), scenario=long)
    run.wait(1)
    folder = run.save(state=f"cut short: {long}")
    write_all(folder)
    page = Open((folder / "report.html").read_text(encoding="utf-8"))
    over = [
        (where, text[:60])
        for where, text in page.words
        if "head" not in where and "command" not in where and "qqq" in text and len(text) > MOST
    ]
    assert over == []


def test_the_page_can_be_used_without_sight_or_mouse(tmp_path: Path) -> None:
    """Every link has a text, every column a scope, every box that scrolls can be reached and has a name."""
    folder = core_run(tmp_path / "run", broken=True)
    write_all(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert Open(page).bare == []
    assert all('scope="col"' in cell for cell in re.findall(r"<th\b[^>]*>", page))
    boxes = re.findall(r'<(?:div|figure) class="[^"]*scroll[^>]*>', page)
    assert boxes
    assert all('tabindex="0"' in box and "aria-label" in box for box in boxes)
    assert page.count("<h1>") == 1


def test_what_is_wide_scrolls_inside_its_own_box(tmp_path: Path) -> None:
    """Tables and drawings have a width of their own; on a phone the page around them must not get it."""
    folder = core_run(tmp_path / "run", broken=True)
    write_all(folder)

    class Boxes(Open):
        loose: list[str] = []  # noqa: RUF012 - one page is read

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            wide = tag == "svg" or (tag == "table" and dict(attrs).get("class") != "rows")
            if wide and "scroll" not in self.where:
                self.loose.append(self.where)
            super().handle_starttag(tag, attrs)

    assert Boxes((folder / "report.html").read_text(encoding="utf-8")).loose == []


BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
PROBE = """<script>onload = function () {
  var page = document.querySelector("iframe").contentDocument.documentElement;
  document.title = page.scrollWidth + " of " + page.clientWidth;
};</script>"""


@pytest.mark.skipif(not BROWSER, reason="no Chromium here: the widths of a page are a browser's to tell")
def test_a_phone_scrolls_the_page_down_only(tmp_path: Path) -> None:
    """At 390 pixels nothing sticks out on the right."""
    folder = red(tmp_path / "run")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", (folder / "report.html").read_text())
    frame = f'<iframe style="border: 0; width: 390px; height: 844px" srcdoc="{markup.escape(page)}"></iframe>'
    (tmp_path / "phone.html").write_text(f"<!doctype html><title>not loaded</title>{frame}{PROBE}")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"--user-data-dir={tmp_path}", f"file://{tmp_path}/phone.html"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"<title>(\d+) of (\d+)</title>", done.stdout)
    assert found is not None
    assert found[1] == found[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_that_carry_a_meaning_can_be_told_from_their_ground(scheme: str) -> None:
    """Text 4.5 to 1, what is drawn 3 to 1 (WCAG 2.2 AA), in both schemes."""
    style = (Path(read.__code__.co_filename).parent / "templates/report.css").read_text(encoding="utf-8")
    parts = style.split("@media (prefers-color-scheme: dark)")
    block = parts[0 if scheme == "light" else 1].partition("}")[0]
    tone: dict[str, str] = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6});", block))
    for name in ("violates", "inconclusive", "conforms", "na"):
        assert contrast(tone[name], tone[f"{name}-wash"]) >= 4.5, name
    for ground in ("card", "paper", "wash", "violates-wash", "conforms-wash", "inconclusive-wash"):
        assert contrast(tone["soft"], tone[ground]) >= 4.5, ground
        assert contrast(tone["ink"], tone[ground]) >= 4.5, ground
    for drawn in ("fault", "rate", "p95", "answer", "violates"):
        assert contrast(tone[drawn], tone["card"]) >= 3, drawn


def contrast(one: str, other: str) -> float:
    """Return the ratio of two colours' luminances, as WCAG defines it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red_, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red_ + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@given(WORDS, st.integers(20, 200))
def test_a_brief_text_is_one_line_and_never_longer_than_asked(text: str, most: int) -> None:
    """It never invents anything either: what stands before the dots stands in the text."""
    short = brief(text, most)
    assert len(short) <= most
    assert "\n" not in short


def test_a_brief_text_keeps_what_matters() -> None:
    """The sentence, the names as people say them, the end of an address; not the data."""
    names = ", ".join(OPERATORS)
    assert brief(f"pause_process of {names} failed") == (
        "pause_process of infra-operator-…-r0vtk, keystone-operator-…-r1vtk and 8 more failed"
    )
    assert brief('still there: {"containers": [{"pid": 7}]}') == "still there"
    assert brief("GET https://a:6443/api/v1/namespaces/x/pods: no answer") == "GET https://a:6443/…/pods: no answer"
    assert brief("Traceback (most recent call last):\n  File x\nValueError: 3") == "ValueError: 3"
    assert few(["pod/a/galera-0"]) == "galera-0"
    assert few(["a/b", "c/d", "e/f"]) == "b, d, +1 more"
