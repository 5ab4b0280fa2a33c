"""The options of the pytest plugin.

Every run of pytest imports this module wherever rulebook is installed. It stands beside the package, since importing a
module of the package imports NumPy, and loads `rulebook.pytest_plugin` only when it is asked for.
"""

from __future__ import annotations

import re

import pytest

_NODE = re.compile(r"(?:^|[/\\])rulebook:[/\\]{0,2}(?P<node>[^/\\].*)")  # pytest writes paths anew when it runs in a folder below the root


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("rulebook", "derivative rules")
    group.addoption(
        "--rulebook",
        action="append",
        default=[],
        metavar="TARGET",
        help="check the rules of a module, or of module:primitive; may be repeated",
    )
    group.addoption("--rulebook-seed", type=int, default=0, metavar="N", help="seed of the points at which rules are checked")
    group.addoption("--rulebook-strict", action="store_true", help="what noise or time leaves undecided about a rule is a failure")
    group.addoption(
        "--rulebook-engines", metavar="NAMES", help="also check that these engines use the rules: jax,torch; all for all installed ones"
    )
    parser.addini("rulebook_targets", "what --rulebook checks where the command line names no tests", type="args", default=[])
    parser.addini("rulebook_without", "laws that are switched off, one LAW=REASON a line", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Take the node ids of rules out of the arguments, and load the plugin if there is something to check."""
    config.addinivalue_line("markers", "rulebook: a law of a derivative rule")
    nodes = [found["node"] for arg in config.args if (found := _NODE.search(arg))]
    targets = list(config.getoption("--rulebook"))
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        targets += config.getini("rulebook_targets")
    if nodes or targets:
        from rulebook.pytest_plugin import Rules  # noqa: PLC0415 (imports NumPy)

        config.args[:] = [arg for arg in config.args if not _NODE.search(arg)]
        config.pluginmanager.register(Rules(config, nodes or targets), "rulebook-rules")
