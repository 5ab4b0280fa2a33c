"""Dual numbers: forward mode for plain NumPy code, scalars and arrays, k tangents at once.

Importing it registers the rules for NumPy's functions.
"""

from rulebook.dual import (
    arithmetic as arithmetic,
    complexes as complexes,
    creation as creation,
    decompositions as decompositions,
    elementwise as elementwise,
    fft as fft,
    joining as joining,
    linalg as linalg,
    predicates as predicates,
    products as products,
    reductions as reductions,
    selecting as selecting,
    shapes as shapes,
)
from rulebook.dual.array import DualArray as DualArray
from rulebook.dual.scalar import Dual as Dual
