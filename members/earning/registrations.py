"""What this room offers to others: the effects of imported purchases."""

from members.activity.effects import register_import_effect
from members.earning.imports import apply_import

register_import_effect(apply_import)
