"""A function of one engine called from every other: its derivatives come from the engine that it was written for."""

from rulebook.crossing.api import differentiate_with as differentiate_with

__all__ = ["differentiate_with"]
