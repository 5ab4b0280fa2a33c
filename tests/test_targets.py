"""What a TARGET names: modules, packages and single primitives, and what is said of one that names nothing."""

from __future__ import annotations

import importlib
import itertools
import re
import sys

import pytest

from rulebook.places import Place, place_of, places_of
from rulebook.targets import TargetError, TargetImportError, Unimported, find, find_all
from tests.targets_tools import NO_CASE, RIGHT, WRONG, package

_numbers = itertools.count()


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a package of a name of its own into a folder that can be imported from."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(**modules: str) -> str:
        name = package(tmp_path, f"targets_{next(_numbers)}", **modules)
        importlib.invalidate_caches()
        return name

    return made


def test_a_package_has_the_primitives_of_all_its_modules_in_the_order_of_definition(write):
    name = write(b=RIGHT, a=WRONG, c=f"import {__name__}")
    target = find(name)
    assert list(target.primitives) == [f"{name}.a.square", f"{name}.a.Holder.method", f"{name}.b.cube", "mine.inverse"]
    assert (target.text, target.explicit, target.unimported) == (name, False, [])
    assert list(find(f"{name}.b").primitives) == [f"{name}.b.cube", "mine.inverse"]


def test_what_a_module_imports_is_not_defined_there(write):
    name = write(a=WRONG, b=NO_CASE)
    other = write(c=f"from {name}.a import square\n{NO_CASE}")
    assert list(find(other).primitives) == [f"{other}.c.lonely"]


def test_a_module_that_only_imports_primitives_has_those(write):
    name = write(a=WRONG)
    other = write(c=f"from {name}.a import square")
    assert list(find(other).primitives) == [f"{name}.a.square"]


def test_functions_from_elsewhere_belong_where_their_rules_are(write):
    name = write(a="import numpy as np, rulebook as rb\nroot = rb.primitive(np.linalg.inv)\nbare = rb.primitive(np.linalg.det)\n")
    rules = write(b=f"import rulebook as rb\nfrom {name}.a import root\n@rb.pullback(root)\ndef _(y, primals, y_bar): return (y_bar,)\n")
    assert [p.fn.__name__ for p in find(rules).primitives.values()] == ["inv"]
    assert [p.fn.__name__ for p in find(name).primitives.values()] == ["det"]


def test_rules_that_nobody_wrote_have_no_place(write):
    name = write(a="import numpy as np, rulebook as rb\nfloor = rb.non_differentiable(rb.primitive(np.linalg.matrix_rank))\n")
    (floor,) = find(name).primitives.values()
    assert floor.forward is not None and "non_differentiable" not in places_of(floor)


def test_what_an_earlier_import_left_does_not_count(write):
    name = write(a=RIGHT)
    before = find(name).primitives
    del sys.modules[f"{name}.a"]
    reloaded = find(name).primitives
    assert list(reloaded) == list(before) and reloaded[f"{name}.a.cube"] is not before[f"{name}.a.cube"]


def test_primitives_of_one_name_are_told_apart(write):
    name = write(a="import rulebook as rb\nmade = [rb.primitive(lambda x, n=n: n * x) for n in (1, 2)]\n")
    primitives = find(name).primitives
    first, second = primitives
    assert second == f"{first}#2"
    assert [p(1.0) for p in primitives.values()] == [1.0, 2.0]


def test_a_primitive_belongs_to_the_first_target_that_has_it(write):
    name = write(a=WRONG, b=RIGHT)
    first, second, third = find_all([f"{name}.a:Holder.method", name, f"{name}.b"])
    assert list(first.primitives) == [f"{name}.a.Holder.method"] and first.explicit
    assert f"{name}.a.Holder.method" not in second.primitives and f"{name}.a.square" in second.primitives
    assert not third.primitives


def test_a_submodule_that_lacks_a_package_is_told_and_a_program_is_left_alone(write):
    name = write(a=WRONG, b="import no_such_package_anywhere", __main__="raise SystemExit(3)")
    target = find(name)
    assert target.unimported == [Unimported(f"{name}.b", "No module named 'no_such_package_anywhere'")]
    assert len(target.primitives) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "no_such_module",
            "Expected: an importable module\nGot: no module named 'no_such_module'\nDo: run the command where the module lies",
        ),
        ("{name}.ab", "Got: no module named '{name}.ab'\nDo: write {name}.a, if that is meant"),
        ("{name}.a.square", "Got: no module named '{name}.a.square'\nDo: write {name}.a:square, if a primitive of {name}.a is meant"),
        ("{name}.a:sqare", "Expected: a primitive\nGot: no attribute 'sqare'\nDo: write square, if that is meant"),
        ("{name}.a:Holder.methods", "Got: no attribute 'methods'\nDo: write method, if that is meant"),
        ("{name}.a:its_reverse", "Expected: a primitive\nGot: a function\nDo: make it one with rb.primitive(its_reverse)"),
        ("{name}.a:rb", "Expected: a primitive\nGot: a module\nDo: name a primitive"),
        ("{name}.c", "Expected: a module that defines primitives\nGot: none in it\nDo: decorate a function with @rb.primitive"),
        ("{name}/a.py", "Expected: an importable module or module:primitive\nGot: the path of a file\nDo: write {name}.a"),
        ("{name}.a:", "Got: '{name}.a:'\nDo: write package.module:primitive"),
        ("two words", "Got: 'two words'\nDo: write package.module:primitive"),
    ],
)
def test_a_target_that_names_nothing(write, text, message):
    name = write(a=WRONG, c="x = 1\n")
    with pytest.raises(TargetError, match=re.escape(message.format(name=name))) as caught:
        find(text.format(name=name))
    assert str(caught.value).startswith(f"target {text.format(name=name)!r}.")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_package_anywhere", "No module named 'no_such_package_anywhere'"),
        ("from math import no_such_name", "cannot import name 'no_such_name'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = (", "SyntaxError"),
    ],
)
def test_an_error_inside_a_target_is_shown_as_itself(write, source, told):
    name = write(a=source)
    with pytest.raises(TargetImportError) as caught:
        find(f"{name}.a")
    text = str(caught.value)
    assert told in text and "importlib" not in text and "targets.py" not in text
    assert text.startswith(f"target '{name}.a'.\nExpected: a module that can be imported\n")


def test_an_error_in_a_submodule_that_is_no_missing_package_is_raised(write):
    name = write(a=WRONG, b=f"import {__name__}.nothing")
    with pytest.raises(TargetImportError, match="mend the import"):
        find(name)


def test_where_things_are_written(write):
    name = write(a=WRONG)
    places = places_of(find(f"{name}.a:square").primitives[f"{name}.a.square"])
    assert {kind: place.line for kind, place in places.items()} == {"": 4, "frule": 8, "rrule": 12}
    assert {place.file.rpartition("/")[2] for place in places.values()} == {"a.py"}
    assert place_of(len) is None
    assert place_of(test_where_things_are_written) == Place(__file__, test_where_things_are_written.__code__.co_firstlineno)
