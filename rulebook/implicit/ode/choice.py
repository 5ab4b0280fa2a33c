from typing import NamedTuple
from rulebook.implicit.ode.scipy import Options
class Choice(NamedTuple):
    method: str
    steps: int
    options: Options
def choose(method, steps, rtol, atol, max_step, *a):
    return Choice(method, steps, Options(method, rtol, atol, max_step))
