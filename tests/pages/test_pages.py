"""The code on every page of the documentation runs, in order, and prints what the page shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.reading import blocks, is_missing, needs, pages
from tests.pages.running import PageError, run

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def _as_a_reader_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, and the engines' own defaults: 32 bits in JAX, whatever the other tests chose."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    loaded = set(sys.modules)
    jax = sys.modules.get("jax")
    before = jax.config.jax_enable_x64 if jax else None
    if jax:
        jax.config.update("jax_enable_x64", False)
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", True if before is None else before)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_default_dtype(torch.float32)
    for name in set(sys.modules) - loaded:  # modules that the page wrote
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", [str(path.relative_to(DOCS)) for path in pages(DOCS)])
@pytest.mark.usefixtures("_as_a_reader_has_it")
def test_the_code_of(page: str, tmp_path: Path) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for name in filter(is_missing, needs(text)):
        pytest.skip(f"{name} is not installed")
    run(page, blocks(text), tmp_path, {"__name__": "__main__"})


FENCE = "```"


@pytest.mark.parametrize(
    "page",
    [
        f"{FENCE}python\n1 / 0\n{FENCE}\n",
        f"{FENCE}python\nprint(1)\n{FENCE}\n\n{FENCE}text\n2\n{FENCE}\n",
        f"{FENCE}python\n>>> 1 + 1\n3\n{FENCE}\n",
        f"{FENCE}sh\npython -c 'import sys; sys.exit(3)'\n{FENCE}\n",
        f"{FENCE}sh\npython -c 'print(1)'\n{FENCE}\n{FENCE}text\n2\n{FENCE}\n",
        f'{FENCE}python title="one.py"\nx = 1\n{FENCE}\n\nAnd\n\n{FENCE}python\nimport one; assert one.x == 2\n{FENCE}\n',
    ],
)
@pytest.mark.usefixtures("_as_a_reader_has_it")
def test_a_page_that_says_what_is_not_so_fails(page: str, tmp_path: Path) -> None:
    with pytest.raises(PageError, match=r"page\.md:\d"):
        run("page.md", blocks(page), tmp_path, {})


def test_a_file_of_the_repository_stands_in_a_block() -> None:
    page = f'??? note\n    {FENCE}python title="a.py"\n    --8<-- "examples/lynx_hare.py"\n    {FENCE}\n'
    (block,) = blocks(page)
    assert block.text == (DOCS.parent / "examples/lynx_hare.py").read_text(encoding="utf-8")


@pytest.mark.usefixtures("_as_a_reader_has_it")
def test_a_page_that_holds(tmp_path: Path) -> None:
    module = f'{FENCE}python title="two.py"\nx = 2\n{FENCE}\n'
    use = f"{FENCE}python\nimport two\ny = two.x\nprint(0.1 + y)\n{FENCE}\n{FENCE}text\n2.1...\n{FENCE}\n"
    page = f"---\nneeds: numpy scipy\n---\n{module}so\n{use}"
    names: dict[str, object] = {}
    assert needs(page) == ["numpy", "scipy"]
    run("page.md", blocks(page), tmp_path, names)
    assert names["y"] == 2


@pytest.mark.usefixtures("_as_a_reader_has_it")
def test_a_block_alone_may_need_what_is_not_here(tmp_path: Path) -> None:
    page = "".join(
        f'=== "Tab"\n\n    <!-- needs: {name} -->\n    {FENCE}python\n    found.append("{name}")\n    {FENCE}\n'
        for name in ("numpy", "no_such_package", "python")
    )
    found: list[str] = []
    run("page.md", blocks(page), tmp_path, {"found": found})
    assert found == ["numpy", "python"]
