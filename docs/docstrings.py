"""Docstrings as the site shows them: our section is called Example, which Griffe knows as Examples."""

from __future__ import annotations

import re

import griffe

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Makes each Example a section of code instead of an admonition."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Rename the section."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub("Examples:", obj.docstring.value)
