"""The table of a benchmark: its rows, and each format of it."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import sys
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

import rulebook as rb
from rulebook.testing import Scenario, Table, benchmark, scenarios
from rulebook.testing.timing import Row
from rulebook.testing.timing.measure import interleaved, peak
from rulebook.testing.timing.page import time_plot
from rulebook.testing.timing.table import HEADER as TABLE_HEADER

X = np.linspace(0.0, 1.0, 3)
ROWS = (
    Row("dual", "a <b>", "grad", False, 1, 2e-5, 1e-6, 300, None, 12_345, 4.0),
    Row("jax", "a <b>", "grad", True, 0, 1e-5, 2e-6, 500, 0.25, None, 2.0),
    Row("torch", "a <b>", "grad", False, error="TypeError: no <tensor>"),
)
TABLE = Table(ROWS, {"python": "3.12", "machine": "x86_64, Linux", "numpy": "2.4"})


def square(x):
    return rb.xp(x).sum(x**2)


def test_every_engine_and_way_is_a_row_and_a_failure_is_one_with_its_error():
    def fails(x):
        raise ZeroDivisionError("mine\nsecond line")

    given = [Scenario("right", "grad", square, (X,), 2 * X), Scenario("wrong", "grad", fails, (X,), X)]
    table = benchmark(["dual"], given, seconds=0.001, prepared=(False,))
    right, wrong = table.rows
    assert (right.engine, right.scenario, right.operator, right.prepared, right.calls, right.error) == (
        "dual",
        "right",
        "grad",
        False,
        1,
        "",
    )
    assert right.time > 0 and right.spread >= 0 and right.samples >= 3 and right.memory > 0 and right.preparation is None
    assert right.ratio > 0
    assert (wrong.time, wrong.ratio, wrong.calls, wrong.error) == (None, None, None, "ZeroDivisionError: mine")


def test_an_error_of_the_project_is_told_in_full():
    (row,) = benchmark(["dual"], [Scenario("vector", "grad", lambda x: x, (X,), X)], seconds=0.001, prepared=(False,)).rows
    assert row.error.startswith("RuleSignatureError: rb.grad of") and "Expected: one real number" in row.error and "\n" not in row.error


def test_a_preparation_is_timed_and_the_operators_may_be_others():
    made = []

    def prepare(operator, f, *example, engine):
        made.append((operator, engine))
        return operator(f, engine=engine)

    def grad(f, engine):
        return lambda x: (f(x), 2 * x)[1]

    (plain, ready) = benchmark(
        ["dual"], [Scenario("s", "grad", square, (X,), 2 * X)], seconds=0.001, operators=SimpleNamespace(grad=grad, prepare=prepare)
    ).rows
    assert made == [(grad, "dual")]
    assert (plain.prepared, ready.prepared, plain.preparation) == (False, True, None) and ready.preparation > 0


def test_a_function_that_does_not_run_on_numpy_has_no_ratio():
    def only_duals(x):
        if isinstance(x, np.ndarray):
            raise TypeError("no arrays")
        return square(x)

    (row,) = benchmark(["dual"], [Scenario("s", "grad", only_duals, (X,), 2 * X)], seconds=0.001, prepared=(False,)).rows
    assert row.time > 0 and row.ratio is None


def test_constants_caches_tangents_and_two_engines():
    chosen = [s for s in scenarios() if s.name in ("filled-jvp", "scaled-named-jacobian", "scaled-vjp")]
    rows = benchmark(["dual"], chosen, seconds=0.001, prepared=(False,)).rows
    assert len(rows) == 3 and not any(row.error for row in rows) and min(row.ratio for row in rows) > 0
    (row,) = benchmark([("dual", "dual")], [Scenario("s", "hessian", square, (X,), 2 * np.eye(3))], seconds=0.001, prepared=(False,)).rows
    assert (row.engine, row.error) == ("dual over dual", "") and row.memory > 0


def test_an_engine_that_there_is_not():
    with pytest.raises(rb.EngineMissingError, match=r"engine 'jaxx'.\nExpected: one of"):
        benchmark(["jaxx"], [])


def test_memory_that_is_not_seen_is_not_told():
    pytest.importorskip("torch")
    (row,) = benchmark(["torch"], [Scenario("s", "grad", square, (X,), 2 * X)], seconds=0.001, prepared=(False,)).rows
    assert row.error == "" and row.memory is None


def test_the_peak_of_memory():
    held = peak(lambda: np.ones(100_000).sum())
    assert 800_000 <= held < 900_000
    assert peak(lambda: [np.ones(100_000) for _ in range(3)]) >= 2_400_000


def test_turns_change_their_order_and_garbage_waits():
    order, collecting = [], []

    def noted(name):
        return lambda: (order.append(name), collecting.append(gc.isenabled()), time.sleep(3e-3))

    times = interleaved({name: noted(name) for name in "ab"}, seconds=0.0)
    assert (times["a"].rounds, times["a"].repeats) == (3, 1)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"  # once each to see how long they take
    assert gc.isenabled() and not any(collecting[2:])


# -- formats -------------------------------------------------------------------------------------------


def test_text_tells_every_row_and_every_error():
    text = str(TABLE)
    lines = text.splitlines()
    assert lines[0].split() == [*TABLE_HEADER[:7], "/", "primal", *TABLE_HEADER[8:]]
    assert lines[2].split()[3:] == ["dual", "no", "1", "20", "us", "1", "us", "4", "12.3", "kB", "-"]
    assert lines[3].endswith("250 ms") and "TypeError" in lines[4]
    assert "a <b>, grad, torch: TypeError: no <tensor>" in text and "numpy 2.4" in text


def test_json_can_be_read_again():
    read = json.loads(TABLE.to_json())
    assert read["schema"] == 1 and read["versions"]["numpy"] == "2.4"
    assert [Row(**row) for row in read["rows"]] == list(ROWS)


def test_a_frame_has_a_column_for_every_field():
    pytest.importorskip("pandas")
    frame = TABLE.to_frame()
    assert list(frame.columns) == list(Row.__dataclass_fields__) and len(frame) == 3
    assert frame.engine.tolist() == ["dual", "jax", "torch"] and frame.time.isna().tolist() == [False, False, True]


def test_a_frame_without_pandas(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pandas" else found(name))
    with pytest.raises(ImportError, match=r"Expected: the package 'pandas'\nGot: it is not installed\nDo: pip install pandas"):
        TABLE.to_frame()


class Reader(HTMLParser):
    """Counts elements and keeps what they say; every tag must be closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.said = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


def test_html_is_one_page_with_a_plot_and_asks_for_nothing_else():
    page = TABLE.to_html("a & b")
    read = Reader(page)
    assert read.open == [] and read.count["svg"] == 1 and read.count["tr"] == 4
    assert read.count["circle"] == 2 + 2  # the legend of two engines, and two rows that were measured
    assert "a & b" in read.said and "TypeError: no <tensor>" in read.said
    assert "http" not in page and "<script" not in page and "<link" not in page and "<b>" not in page


def test_a_plot_tells_prepared_and_keeps_points_in_their_frame():
    picture = time_plot(ROWS)
    assert picture.count('fill="none"') == 1 and "dual, as it is: 20 us, 4 times the function" in picture
    assert time_plot(ROWS[2:]) == ""
    circles = [part.partition('"')[0] for part in picture.split('cx="')[1:]]
    assert all(0 < float(x) < 860 for x in circles)


def test_show_uses_rich_on_a_terminal_only(monkeypatch, capsys):
    TABLE.show()
    assert capsys.readouterr().out == f"{TABLE}\n"
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    TABLE.show()
    out = capsys.readouterr().out
    assert ("dual" in out and "250 ms" in out and "─" in out) or "━" in out


def test_without_rich_the_table_is_text(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    TABLE.show()
    assert capsys.readouterr().out == f"{TABLE}\n"


def test_the_fastest_of_each_scenario():
    assert TABLE.fastest() == {("a <b>", "grad"): ROWS[1]}
    assert Table(ROWS[2:]).fastest() == {}
