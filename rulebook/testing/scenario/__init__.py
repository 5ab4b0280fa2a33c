"""Scenarios: derivatives that are known exactly, and whether an engine gives them."""

from rulebook.testing.scenario.api import check_engine as check_engine
from rulebook.testing.scenario.collection import scenarios as scenarios
from rulebook.testing.scenario.model import Point as Point, Scenario as Scenario
from rulebook.testing.scenario.trusted import computed as computed
