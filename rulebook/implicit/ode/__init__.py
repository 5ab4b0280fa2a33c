"""Ordinary differential equations."""

from rulebook.implicit.ode.api import odeint

__all__ = ["odeint"]
