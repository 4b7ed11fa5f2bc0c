"""The project's own Python files and templates, for the tests of promises about all of them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WINGS = (
    "config", "core", "tenants", "members", "benefits", "partners", "console", "portal", "api",
)  # fmt: skip


@cache
def python_files() -> tuple[Path, ...]:
    """Return every Python file of the house but migrations."""
    return tuple(
        path
        for wing in WINGS
        for path in sorted((ROOT / wing).rglob("*.py"))
        if "migrations" not in path.parts
    )


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(), filename=str(path))


@cache
def templates() -> tuple[Path, ...]:
    """Return every HTML template of the house."""
    return tuple(
        path for wing in WINGS for path in sorted((ROOT / wing).rglob("templates/**/*.html"))
    )


def name(path: Path) -> str:
    """Return a path as people write it."""
    return str(path.relative_to(ROOT))
