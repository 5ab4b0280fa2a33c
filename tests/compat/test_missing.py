"""Drop-ins whose engine is not installed."""

import subprocess
import sys

import pytest

CODE = """
import sys

sys.modules[{engine!r}] = None
import rulebook as rb

try:
    import rulebook.compat.{module}
except rb.EngineMissingError as error:
    print(error)
"""


@pytest.mark.parametrize("module", ["jax", "agjax", "autograd", "torch"])
def test_the_error_says_how_to_install_it(module):
    engine = "jax" if module == "agjax" else module
    code = CODE.format(engine=engine, module=module)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"engine '{engine}'.\nExpected: the package '{engine}'\nGot: it is not installed")
    assert f"Do: pip install 'rulebook-ad[{engine}]'" in said
