"""Shortcuts over iterative procedures: any solver is differentiable from the equation that its solution satisfies."""

from rulebook.implicit.api import fixed_point as fixed_point, minimizer as minimizer, root as root
from rulebook.implicit.failures import (
    KinkError as KinkError,
    NotConvergedError as NotConvergedError,
    NotConvergedWarning as NotConvergedWarning,
    SingularError as SingularError,
)
from rulebook.implicit.linear import linear_solve as linear_solve
from rulebook.implicit.ode import odeint as odeint
from rulebook.implicit.system import Operator as Operator
