"""Conditions over members: one grammar (DOMAIN §4.2), two evaluators, one catalogue of fields."""

from members.segments.conditions.compile import (
    Compiled,
    compile_expression,
    compile_sql,
    join_sources,
    moment_parameters,
)
from members.segments.conditions.describe import Labels, describe
from members.segments.conditions.evaluate import Facts, evaluate
from members.segments.conditions.fields import (
    FIELDS,
    OPS,
    Argument,
    Catalogue,
    Field,
    FieldType,
    Group,
    Source,
    Template,
    register_field,
    register_provider,
    register_source,
    register_template,
)
from members.segments.conditions.naming import literal
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
    "OPS",
    "Argument",
    "Catalogue",
    "Compiled",
    "Condition",
    "ConditionError",
    "Facts",
    "Field",
    "FieldType",
    "Group",
    "Labels",
    "Source",
    "Template",
    "comparisons",
    "compile_expression",
    "compile_sql",
    "describe",
    "evaluate",
    "fields_of",
    "join_sources",
    "literal",
    "moment_parameters",
    "parse",
    "register_field",
    "register_provider",
    "register_source",
    "register_template",
    "to_tree",
]
