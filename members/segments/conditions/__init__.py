"""Conditions over members: one grammar (DOMAIN §4.2), two evaluators, one catalogue of fields."""

from members.segments.conditions.compile import (
    Compiled,
    compile_expression,
    compile_sql,
    join_sources,
    moment_parameters,
)
from members.segments.conditions.describe import describe
from members.segments.conditions.evaluate import Facts, evaluate
from members.segments.conditions.fields import (
    FIELDS,
    Catalogue,
    Field,
    FieldType,
    Source,
    register_field,
    register_source,
)
from members.segments.conditions.nodes import (
    EVERYBODY,
    Condition,
    ConditionError,
    comparisons,
    fields_of,
    parse,
    to_tree,
)

__all__ = [
    "EVERYBODY",
    "FIELDS",
    "Catalogue",
    "Compiled",
    "Condition",
    "ConditionError",
    "Facts",
    "Field",
    "FieldType",
    "Source",
    "comparisons",
    "compile_expression",
    "compile_sql",
    "describe",
    "evaluate",
    "fields_of",
    "join_sources",
    "moment_parameters",
    "parse",
    "register_field",
    "register_source",
    "to_tree",
]
