"""Studies: the study file, its schema, and the plan of its trials."""

from gmm_study.study.axis import Axis
from gmm_study.study.expansion import Planner, make_plan
from gmm_study.study.load import load_study
from gmm_study.study.plan import Cell, Plan, PlannedTrial
from gmm_study.study.schema import Study
from gmm_study.study.strategies import GridSearch, RandomSearch

__all__ = [
    "Axis",
    "Cell",
    "GridSearch",
    "Plan",
    "PlannedTrial",
    "Planner",
    "RandomSearch",
    "Study",
    "load_study",
    "make_plan",
]
