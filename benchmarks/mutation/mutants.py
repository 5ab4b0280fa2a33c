"""All mutants of a rule function: each operator at each place where it applies, one change per mutant."""

from __future__ import annotations

import ast
import copy
import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.mutation.helpers import fresh
from benchmarks.mutation.operators import EXPRESSIONS, STATEMENTS, Scope
from benchmarks.mutation.source import Definition, UnreadableError, parse, rebuild
from benchmarks.mutation.subject import Parts, Subject

__all__ = ["Change", "Mutant", "apply", "changes", "distinct", "mutants"]


@dataclass(frozen=True)
class Mutant:
    """One change of one rule function.

    Attributes:
        subject: the name of the right rule.
        form: which of its rule functions was changed.
        operator: what kind of change.
        source: the changed function.
        original: the function before.
    """

    subject: str
    form: str
    operator: str
    source: str
    original: str

    @property
    def diff(self) -> str:
        """The changed lines, before and after."""
        lines = difflib.unified_diff(self.original.splitlines(), self.source.splitlines(), n=0, lineterm="")
        return "\n".join(line[0] + " " + line[1:].strip() for line in lines if line[:2] not in ("--", "++", "@@"))

    def function(self, parts: Parts) -> Callable[..., Any]:
        """The changed function in the surroundings of the original, nothing remembered."""
        return rebuild(self.source, parts.rules[self.form], fresh())


# The parser uses one object of each of these everywhere.
_SHARED = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)


class _Replace(ast.NodeTransformer):
    """One node replaced by others; the nodes around it are copied."""

    def __init__(self, number: int, new: ast.AST | list[ast.stmt]) -> None:
        self.number = number
        self.new = new

    def visit(self, node: Any) -> Any:
        if isinstance(node, _SHARED):
            return node
        if node.number == self.number:
            return self.new
        return self.generic_visit(copy.copy(node)) if node.number < self.number <= node.last else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, name, list(value))  # the transformer changes lists where they are
        return super().generic_visit(node)


def numbered(node: Any, number: int = 0) -> int:
    """Number the nodes of a tree from the top; each also knows the last number below it, which is returned."""
    node.number = node.last = number
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _SHARED):
            node.last = numbered(child, node.last + 1)
    return int(node.last)


def apply(tree: Definition, number: int, new: ast.AST | list[ast.stmt]) -> str:
    """The source of a tree in which the node of that number is replaced."""
    for statement in new if isinstance(new, list) else ():
        ast.fix_missing_locations(statement)
    return ast.unparse(_Replace(number, new).visit(tree))


@dataclass(frozen=True)
class Change:
    """A mutant that is not written out yet: one node of a tree, and what shall stand there."""

    subject: str
    form: str
    operator: str
    tree: Any
    original: str
    number: int
    new: Any

    def mutant(self) -> Mutant:
        """The mutant; it may be like the original, or like another."""
        return Mutant(self.subject, self.form, self.operator, apply(self.tree, self.number, self.new), self.original)


def changes(subject: Subject) -> Iterator[Change]:
    """Every operator at every place of all rule functions whose source can be read."""
    parts = subject.parts()
    for form, fn in parts.rules.items():
        try:
            tree = parse(fn)
        except UnreadableError:
            continue
        original = ast.unparse(tree)
        numbered(tree)
        for node, scope in _places(tree, Scope(form, defaults=_literal(parts.signature.default_statics))):
            for operator, new in _replacements(node, scope):
                yield Change(subject.name, form, operator, tree, original, scope.number, new)


def distinct(found: Iterable[Change]) -> Iterator[Mutant]:
    """The mutants of changes, each text once, without those that are like the original."""
    seen: set[tuple[str, str, str]] = set()
    for change in found:
        mutant = change.mutant()
        key = (mutant.subject, mutant.form, mutant.source)
        if mutant.source != mutant.original and key not in seen:
            seen.add(key)
            yield mutant


def mutants(subject: Subject) -> Iterator[Mutant]:
    """All mutants of a subject."""
    return distinct(changes(subject))


def _literal(defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults that can stand in a source."""
    return {k: v for k, v in defaults.items() if isinstance(v, (bool, int, float, str, type(None)))}


def _replacements(node: ast.AST, scope: Scope) -> Iterator[tuple[str, Any]]:
    operators: Any = EXPRESSIONS if isinstance(node, ast.expr) else STATEMENTS
    for name, kinds, make in operators:
        if isinstance(node, kinds):
            for new in make(node, scope):
                yield name, new


def _places(tree: Definition, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    """Every statement and every expression that is read, with its surroundings."""
    here = replace(scope)
    given = [a.arg for a in (*tree.args.posonlyargs, *tree.args.args)]
    keywords = [a.arg for a in tree.args.kwonlyargs]
    body = tree.body if isinstance(tree.body, list) else [tree.body]
    here.arguments = (scope.arguments | set(given) | _unpacked(body, {*scope.arguments, *given})) - set(keywords)
    here.names = list(dict.fromkeys([*scope.names, *given, *keywords, *(n for s in body for n in _stored(s))]))
    if ast.get_docstring(tree) is not None if isinstance(tree, ast.FunctionDef) else False:
        body = body[1:]
    for statement in body:
        yield from _below(statement, here)


def _below(node: Any, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    if isinstance(node, ast.stmt) or (isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)):
        yield node, replace(scope, number=node.number)
    if isinstance(node, Definition):
        yield from _places(node, replace(scope, inner=True))
        return
    for child in ast.iter_child_nodes(node):
        yield from _below(child, scope)


def _stored(node: ast.AST) -> Iterator[str]:
    """The variables that a statement writes, not those of functions inside."""
    if isinstance(node, Definition):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_":
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _stored(child)


def _unpacked(body: list[Any], given: set[str]) -> set[str]:
    """Variables that are parts of arguments: `x, y = primals`, `x = primals[0]`."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.Assign):
            parts = list(ast.walk(statement.value))
            plain = all(isinstance(n, (ast.Name, ast.Tuple, ast.Subscript, ast.Constant, ast.expr_context)) for n in parts)
            if plain and {n.id for n in parts if isinstance(n, ast.Name)} <= given:
                found |= set(_stored(statement))
    return found
