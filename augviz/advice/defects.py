"""Rules on the defects of albumentationsxl 0.1.2 that a pipeline would meet, by family; adding one is a row in its module."""

from __future__ import annotations

from augviz.advice import arguments, defects_geometry, defects_groups, defects_values
from augviz.advice.case import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (*arguments.RULES, *defects_groups.RULES, *defects_geometry.RULES, *defects_values.RULES)
