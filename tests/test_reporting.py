"""The report formats, from reports made by hand: what each says, and that other programs can read it."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from rulebook.places import Place
from rulebook.reporting import FORMATS, Outcome, Run, as_json, github, html, junit, merged, text
from rulebook.reporting.plot import ladder_plot
from rulebook.testing import Finding, Note, Report

LADDER = tuple((10.0**-k, 1.5 * 100.0**-k) for k in range(1, 7))
ODD = '<b> & "q"\nline, 100%: \x07\x1b'


def finding(law: str, **more: object) -> Finding:
    given = {"argument": "x_bar of a", "element": (0, 2), "looks_like": "the sign is wrong", "estimate": 1e-11, "case": "case 0"}
    return Finding("rrule of m.kepler", law, f"the law of {law}", "1.25", "-1.25", "flip the sign", **{**given, **more})


def outcomes(strict: bool = False) -> list[Outcome]:
    wrong = Report("m.kepler", held=Counter({"primal": 10, "again": 3}), points=12, left_out=1, seconds=0.125, strict=strict)
    wrong.findings = [finding("differences", ladder=LADDER), finding("duality", call=ODD), finding("duality", argument="x_bar of b")]
    wrong.note(Note("inconclusive", "noise hides it", "rrule of m.kepler", "linearity"))
    right = Report("m.lyap", held=Counter({"primal": 40}), points=40, seconds=0.5, strict=strict)
    right.note(Note("switched off", "slow <here>", law="zero"))
    right.note(Note("unchecked", "7 points, as time ran out"))
    places = {"": Place("/repo/src/m.py", 3), "rrule": Place("/repo/src/m.py", 9)}
    return [
        Outcome("m.kepler", wrong, {"forward": "frule", "reverse": "rrule"}, places),
        Outcome("m.lyap", right, {"forward": "scalar_rule", "reverse": "scalar_rule"}),
        Outcome("m.nocase", Report("m.nocase", strict=strict), problem="check of m.nocase.\nExpected: calls\nGot: none\nDo: give some"),
        Outcome("m.norule", Report("m.norule", strict=strict), problem="check of m.norule.\nGot: none", skipped=True),
    ]


def run(strict: bool = False, **more: object) -> Run:
    return Run(outcomes(strict), {"primal": "y is <y>"}, ["m"], without={"zero": "slow <here>"}, strict=strict, **more)


# -- the outcome -------------------------------------------------------------------------------


def test_the_status_of_outcomes_and_of_the_run():
    assert [o.status for o in outcomes()] == ["wrong", "ok", "unchecked", "skipped"]
    assert run().status == 1
    assert Run(outcomes()[1:]).status == 2
    assert Run([outcomes()[1], outcomes()[3]]).status == 0


def test_a_run_that_checked_nothing_is_no_success():
    for of in (Run([]), Run([outcomes()[3]])):
        assert of.status == 2
        assert "; nothing was checked\n" in text(of)


def test_a_strict_run_fails_for_what_was_not_decided():
    assert [o.status for o in outcomes(strict=True)] == ["wrong", "wrong", "unchecked", "unchecked"]
    undecided = outcomes(strict=True)[1].failures
    assert [f.text for f in undecided] == ["7 points, as time ran out"]
    assert [n.kind for n in outcomes(strict=True)[1].remarks] == ["switched off"]


def test_reports_of_several_seeds_become_one():
    first = Report("f", seed=3, findings=[finding("zero")], held=Counter(again=2), points=2, left_out=1, seconds=0.5)
    second = Report("f", seed=4, findings=[finding("zero"), finding("again")], held=Counter(again=3), points=5, seconds=1.0)
    for report in (first, second):
        report.note(Note("left out", "NaN"))
    whole = merged([first, second])
    assert [f.law for f in whole.findings] == ["zero", "again"]
    assert (whole.seed, whole.points, whole.left_out, whole.seconds, whole.held["again"]) == (3, 7, 1, 1.5, 5)
    assert [(n.text, n.count) for n in whole.notes] == [("NaN", 2)]
    assert (len(first.findings), first.notes[0].count) == (1, 1)


# -- text --------------------------------------------------------------------------------------


def test_the_table_has_a_line_per_primitive():
    lines = text(run()).splitlines()
    assert lines[0].split() == ["primitive", "rules", "laws", "held", "points", "left", "out", "findings", "seconds"]
    assert lines[2].split() == ["m.kepler", "frule,", "rrule", "2", "12", "1", "3", "0.12", "WRONG"]
    assert lines[3].split() == ["m.lyap", "scalar_rule", "1", "40", "0", "0", "0.50", "ok"]
    assert lines[4].split() == ["m.nocase", "-", "-", "-", "-", "-", "-", "NOT", "CHECKED"]
    assert lines[5].split()[-1] == "skipped"


def test_findings_and_problems_are_told_in_full_under_the_primitive():
    told = text(run())
    assert "m.kepler  /repo/src/m.py:3\n  rrule of m.kepler, law 'differences' (the law of differences), x_bar of a[0, 2].\n" in told
    assert "    Got -1.25 (the sign is wrong)." in told
    assert "m.nocase\n  check of m.nocase.\n  Expected: calls\n  Got: none\n  Do: give some" in told
    assert "skipped: check of m.norule. Got: none" in told


def test_notes_are_told_when_asked_for_and_what_was_left_out_always():
    assert "noise hides it" not in text(run())
    assert "1 note, shown with -v" in text(run())
    assert "m.lyap: unchecked: 7 points, as time ran out" in text(run())
    assert "m.lyap: switched off: law 'zero': slow <here>" in text(run())
    told = text(run(verbose=True))
    assert "m.kepler: inconclusive: rrule of m.kepler, law 'linearity': noise hides it" in told and "-v" not in told


def test_the_last_line_counts():
    assert text(run(seed=2, seconds=1.25)).splitlines()[-2] == "4 primitives: 1 hold, 1 wrong, 1 not checked, 1 skipped (seed 2, 1.2 s)"
    assert text(run(seed=2, seeds=3)).splitlines()[-2].endswith("(seeds 2 to 4, 0.0 s)")
    assert text(Run([outcomes()[1]], verbose=True)).splitlines()[-1] == "1 primitive: 1 hold, 0 wrong (seed 0, 0.0 s)"


# -- json --------------------------------------------------------------------------------------


def test_json_has_the_documented_keys():
    read = json.loads(as_json(run(engines=["jax"])))
    assert set(read) == {
        *("schema", "rulebook", "command", "targets", "engines", "without", "seed", "seeds", "strict", "status", "seconds", "totals"),
        *("laws", "primitives"),
    }
    assert (read["schema"], read["status"], read["engines"], read["without"]) == (1, 1, ["jax"], {"zero": "slow <here>"})
    assert read["totals"] == {"ok": 1, "wrong": 1, "unchecked": 1, "skipped": 1}
    first = read["primitives"][0]
    assert set(first) == {
        *("name", "status", "rules", "place", "problem", "points", "left_out", "seconds", "held", "findings", "notes"),
    }
    assert first["held"] == {"primal": 10, "again": 3} and first["place"] == {"file": "/repo/src/m.py", "line": 3}
    assert first["findings"][0]["place"] == {"file": "/repo/src/m.py", "line": 9}
    assert first["findings"][0]["element"] == [0, 2] and first["findings"][0]["ladder"][0] == [0.1, 0.015]
    assert read["primitives"][2]["problem"].startswith("check of m.nocase.")


def test_json_is_strict_about_numbers():
    odd = Report("f", findings=[finding("zero", estimate=float("nan"), ladder=((1.0, float("inf")), (0.5, 2.0)))])
    read = json.loads(as_json(Run([Outcome("f", odd)])), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert read["primitives"][0]["findings"][0]["estimate"] is None
    assert read["primitives"][0]["findings"][0]["ladder"] == [[1.0, None], [0.5, 2.0]]


# -- junit -------------------------------------------------------------------------------------

# What the schemas of Apache Ant and of the Jenkins xUnit plugin ask for, taken together.
SUITE = {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}


def suites(of: Run) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(junit(of))
    assert root.tag == "testsuites" and not root.attrib
    return list(root)


@pytest.mark.parametrize("strict", [False, True])
def test_junit_keeps_to_the_schemas(strict):
    for number, suite in enumerate(suites(run(strict))):
        assert suite.tag == "testsuite" and set(suite.attrib) == SUITE and suite.get("id") == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        tags = [child.tag for child in suite]
        assert tags == ["properties", *["testcase"] * (len(tags) - 3), "system-out", "system-err"] and len(tags) > 3
        tests = suite.findall("testcase")
        for test in tests:
            assert set(test.attrib) == {"name", "classname", "time"} and float(test.get("time", "")) >= 0 and len(test) <= 1
            for result in test:
                assert set(result.attrib) == ({"message"} if result.tag == "skipped" else {"message", "type"})
        counts = [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
        assert counts == [str(len(tests)), *(str(len(suite.findall(f"testcase/{tag}"))) for tag in ("failure", "error", "skipped"))]


def test_junit_has_a_test_for_each_law():
    tests = {test.get("name"): [child.tag for child in test] for test in suites(run())[0].findall("testcase")}
    assert tests == {"differences": ["failure"], "duality": ["failure"], "primal": [], "again": [], "linearity": ["skipped"]}
    assert {test.get("name"): [c.tag for c in test] for test in suites(run())[1].findall("testcase")} == {"primal": [], "zero": ["skipped"]}
    assert [suite.find("testcase")[0].tag for suite in suites(run())[2:]] == ["error", "skipped"]
    assert suites(run(strict=True))[1].find("testcase/failure").text == "unchecked: 7 points, as time ran out"


def test_junit_tells_all_findings_of_a_law_and_leaves_out_what_xml_cannot_hold():
    told = suites(run())[0].findall("testcase")[1][0].text
    assert told.count("law 'duality'") == 2 and "x_bar of b" in told
    assert '<b> & "q"\nline, 100%: ??' in told


# -- github ------------------------------------------------------------------------------------


def test_github_marks_the_line_of_the_rule(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/repo")
    lines = github(run()).splitlines()
    assert lines[0].startswith(
        "::error file=src/m.py,line=9,title=rrule of m.kepler%2C law differences::rrule of m.kepler, law 'differences' ("
    )
    assert lines[1].count("::") == 2 and '<b> & "q"%0Aline, 100%25: ' in lines[1]
    assert lines[3] == "::notice title=m.lyap%2C law zero::switched off: law 'zero': slow <here>"
    assert lines[4] == "::warning title=m.lyap::unchecked: 7 points, as time ran out"
    assert lines[5] == "::error title=m.nocase was not checked::check of m.nocase.%0AExpected: calls%0AGot: none%0ADo: give some"
    assert lines[6].startswith("::notice title=m.norule was not checked::")
    assert lines[7].startswith("primitive") and lines[-1].startswith("4 primitives: 1 hold, 1 wrong")


def test_github_escapes_properties_and_leaves_files_elsewhere_whole(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/elsewhere")
    outcome = outcomes()[0]
    outcome.places = {"": Place("/repo/a,b:c%.py", 1)}
    assert github(Run([outcome])).startswith("::error file=/repo/a%2Cb%3Ac%25.py,line=1,title=")


# -- html --------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Checks that tags are closed in order, and gathers what the page asks for and shows."""

    VOID = frozenset(("meta", "line", "polyline", "br"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.shown = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID
        self.tags[tag] += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.shown += data


def test_html_is_one_page_that_needs_nothing_else():
    page = html(run())
    read = Page(page)
    assert sorted(read.links) == ["#p0", "#p1", "#p2", "#p3"] and {link[1:] for link in read.links} <= set(read.ids)
    assert not {"script", "link", "img", "iframe"} & set(read.tags) and "http" not in page and "url(" not in page and "@import" not in page
    assert "prefers-color-scheme: dark" in page


def test_html_shows_every_finding_note_and_problem():
    shown = Page(html(run())).shown
    for expected in (
        "rrule of m.kepler, law 'duality'",
        "-1.25 (the sign is wrong)",
        '<b> & "q"',
        "1.25 ± 1.0e-11",
        "slow <here>",
        "noise hides it",
    ):
        assert expected in shown
    assert "check of m.nocase." in shown and "y is <y>" in shown and "/repo/src/m.py:3" in shown
    assert "7 points, as time ran out" in Page(html(run(strict=True))).shown


def test_html_draws_a_plot_for_a_finding_with_a_ladder():
    read = Page(html(run()))
    assert (read.tags["svg"], read.tags["figure"], read.tags["circle"]) == (1, 1, len(LADDER))
    assert "error of the rule" in read.shown and "estimated error of the expected value" in read.shown


def numbers(pattern: str, picture: str) -> list[float]:
    return [float(x) for x in re.findall(pattern, picture)]


def test_a_plot_is_logarithmic_and_stays_inside_its_frame():
    picture = ladder_plot(LADDER, {"here": 1e-5, "there": None})
    x, y = numbers(r'cx="([-\d.]+)"', picture), numbers(r'cy="([-\d.]+)"', picture)
    assert x == sorted(x) and y == sorted(y, reverse=True) and 0 < min(x) < max(x) < 420 and 0 < min(y) < max(y) < 240
    steps = [b - a for a, b in pairwise(x)]
    assert max(steps) - min(steps) < 0.21  # equal factors are equal distances, up to the rounding of the text
    assert ">here<" in picture and ">there<" not in picture


@pytest.mark.parametrize("ladder", [(), ((0.1, 1.0),), ((0.1, 0.0), (0.01, float("nan")), (0.0, 1.0), (0.2, float("inf")), (0.3, 1.0))])
def test_what_cannot_be_drawn_is_left_out(ladder):
    assert ladder_plot(ladder, {}) == ""


def test_a_level_ladder_is_drawn_too():
    assert "nan" not in ladder_plot([(0.1, 1.0), (0.1, 1.0)], {"level": 1.0})


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_an_empty_run_and_ends_its_last_line(name):
    assert FORMATS[name](Run([])).endswith("\n")
    assert FORMATS[name](run()).endswith("\n")
