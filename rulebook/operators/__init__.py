"""Derivative operators, one spelling for every engine: NumPy in, NumPy out.

A function given to an operator may be any function that the engine can run.  Without `engine=`
the operators take the engine that the values belong to, so that a rule can call back into
whatever engine is running; for NumPy values that is "dual".
"""

from rulebook.operators.first import (
    derivative as derivative,
    grad as grad,
    jacobian as jacobian,
    jvp as jvp,
    value_and_grad as value_and_grad,
    vjp as vjp,
)
from rulebook.operators.prepared import prepare as prepare
from rulebook.operators.second import hessian as hessian, hvp as hvp, second_derivative as second_derivative
