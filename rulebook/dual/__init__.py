"""Dual numbers: forward mode for plain NumPy code, scalars and arrays, k tangents at once.

Importing it registers the rules for NumPy's functions.
"""

from rulebook.dual import (
    arithmetic as arithmetic,
    calculus as calculus,
    complexes as complexes,
    contractions as contractions,
    creation as creation,
    cumulative as cumulative,
    decompositions as decompositions,
    editing as editing,
    elementwise as elementwise,
    extrema as extrema,
    fft as fft,
    functions as functions,
    histograms as histograms,
    joining as joining,
    linalg as linalg,
    mapping as mapping,
    norms as norms,
    padding as padding,
    pinv as pinv,
    polynomials as polynomials,
    predicates as predicates,
    products as products,
    quantiles as quantiles,
    reductions as reductions,
    selecting as selecting,
    shapes as shapes,
    signals as signals,
    sorting as sorting,
    ufunc_methods as ufunc_methods,
)
from rulebook.dual.array import DualArray as DualArray
from rulebook.dual.scalar import Dual as Dual
from rulebook.dual.third_party import passing as passing
