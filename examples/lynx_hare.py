"""Fit the Lotka-Volterra model to the lynx and hare data with the engine of your choice.

    python examples/lynx_hare.py autograd

The ODE solver is SciPy's, wrapped once as the primitive `populations` (rulebook/demo/solver.py) with a forward rule (the
variational equation) and a reverse rule (the adjoint equation).  The likelihood (rulebook/demo/model.py) is ordinary
array code.  `rulebook demo` runs the same fit with every engine, each with its own minimiser, and compares.
"""

import sys

from scipy.optimize import minimize

import rulebook as rb
from rulebook.demo.model import negative_log_likelihood, parameters, unknowns
from rulebook.demo.solver import solves


def main(engine: str = "dual") -> None:
    """Fit and print."""
    loss_and_gradient = rb.value_and_grad(negative_log_likelihood, engine=engine)
    found = minimize(loss_and_gradient, unknowns(), jac=True, method="BFGS", options={"gtol": 1e-6})
    for name, value in parameters(found.x).items():
        print(f"{name:6} {value:8.4f}")
    print(f"{engine}: {solves['primal']} primal, {solves['forward']} forward and {solves['adjoint']} adjoint solves")


if __name__ == "__main__":
    main(*sys.argv[1:])
