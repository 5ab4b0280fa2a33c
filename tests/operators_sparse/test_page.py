"""The examples of docs/manual/sparse_derivatives.md run, and print what the page says."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/manual/sparse_derivatives.md"


def test_the_examples_of_the_page(capsys):
    text = PAGE.read_text()
    blocks = re.findall(r"```(python)?\n(.*?)```", text, re.DOTALL)
    code = "\n".join(block for kind, block in blocks if kind)
    exec(compile(code, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    said = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE) + [block.strip() for kind, block in blocks if not kind]
    assert len(said) == 4
    assert printed.split("\n", 3)[:3] == said[:3]
    assert printed.split("\n", 3)[3].strip() == said[3]
