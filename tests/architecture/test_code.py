"""Promises about every source file."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, WINGS, name, python_files, templates, tree

SURFACES = ("console", "portal", "api")
WRITES = {"save", "create", "update", "delete", "bulk_create", "bulk_update", "get_or_create",
          "update_or_create"}  # fmt: skip
# Objects that are not the ORM and whose methods share its names.
NOT_THE_ORM = {"hashlib", "headers", "context", "cache", "form", "params", "query", "session"}
# Functions named by an outside contract, so their arguments are positional.
PUBLIC_MODULES = ("operations.py", "queries.py")


def _receiver(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("wing", SURFACES)
def test_surfaces_write_nothing_themselves(wing: str) -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in python_files()
        if path.relative_to(ROOT).parts[0] == wing
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WRITES
        and "objects" in ast.dump(node.func)
    ]
    assert found == []


def test_no_file_is_an_attic() -> None:
    attics = [name(p) for p in python_files() if p.stem in {"utils", "helpers", "misc", "common"}]
    assert attics == []


def test_no_file_is_too_long() -> None:
    long = {
        name(path): lines
        for path in python_files()
        if (lines := len(path.read_text().splitlines())) > 600
    }
    assert long == {}


def test_nobody_dodges_a_circle() -> None:
    found = [name(p) for p in python_files() if re.search(r"\bTYPE_CHECKING\b", p.read_text())]
    assert found == []


def test_imports_stand_at_the_top() -> None:
    """Only app configurations may import late: models are not loaded when they are read."""
    found = []
    for path in python_files():
        if path.name == "apps.py" or "management" in path.parts or path.parts[-3:-1] == ("config",):
            continue
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [
                    f"{name(path)}:{node.lineno}"
                    for node in ast.walk(function)
                    if isinstance(node, ast.Import | ast.ImportFrom)
                    and (isinstance(node, ast.Import) or (node.module or "").split(".")[0] in WINGS)
                ]
    allowed = {f for f in found if f.startswith("config/services/")}
    assert sorted(set(found) - allowed) == []


def test_public_operations_are_keyword_only_and_typed() -> None:
    wrong = []
    for path in python_files():
        if path.name not in PUBLIC_MODULES or path.relative_to(ROOT).parts[0] in SURFACES:
            continue
        for node in tree(path).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            untyped = node.returns is None or any(a.annotation is None for a in arguments)
            positional = len(node.args.posonlyargs) + len(node.args.args)
            # One plain thing may be passed by position: `get_staff(user)`.
            if untyped or positional > 1:
                wrong.append(f"{name(path)}:{node.lineno} {node.name}")
    assert wrong == []


def test_public_operations_say_what_they_do() -> None:
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in python_files()
        if path.name in PUBLIC_MODULES
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_models_say_what_a_row_means() -> None:
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in python_files()
        if path.name == "models.py"
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and not ast.get_docstring(node)
    ]
    assert silent == []


def _reads_the_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
        and _receiver(node.func) in {"datetime", "date", "timezone"}
    )


def test_the_clock_is_read_at_the_edges_only() -> None:
    found = [
        f"{name(path)}:{node.lineno}"  # type: ignore[attr-defined]
        for path in python_files()
        if path != ROOT / "core" / "clock.py" and "management" not in path.parts
        for node in ast.walk(tree(path))
        if _reads_the_clock(node)
    ]
    assert found == []


def test_brands_are_entered_by_the_one_door() -> None:
    """`with brand:` and the decorator forms leave threads on the wrong schema."""
    found = []
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                found += [
                    f"{name(path)}:{node.lineno} decorator"
                    for decorator in node.decorator_list
                    if "tenant_context" in ast.dump(decorator)
                    or "schema_context" in ast.dump(decorator)
                ]
            if isinstance(node, ast.With):
                found += [
                    f"{name(path)}:{node.lineno} with brand"
                    for item in node.items
                    if isinstance(item.context_expr, ast.Name)
                    and item.context_expr.id in {"brand", "tenant"}
                ]
    assert found == []


def test_templates_hold_no_inline_script_or_style() -> None:
    """The content security policy would refuse them in silence."""
    pattern = re.compile(
        r"<style\b|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\bsrc=)|hx-on", re.IGNORECASE
    )
    found = [
        f"{name(path)}:{number}"
        for path in templates()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line) and "email" not in path.parts
    ]
    assert found == []


def test_nothing_committed_names_a_machine() -> None:
    """No download address, no path of somebody's machine."""
    # Put together from halves, so that this file passes its own test.
    halves = [
        ("files.python", "hosted"),
        ("pypi", ".org"),
        ("registry", ".npmjs"),
        ("deb", ".debian"),
    ]
    halves += [("/wor", "k/"), ("/roo", "t/")]
    pattern = re.compile("|".join(re.escape(first + second) for first, second in halves))
    suffixes = {".py", ".toml", ".txt", ".md", ".html", ".yaml", ".yml", ".cfg", ".js", ".css"}
    folders = [*WINGS, "bench", "docs", "requirements", "tests", "tools", ".ci"]
    files = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in suffixes]
    files += [p for p in ROOT.iterdir() if p.suffix in suffixes or p.name == "Makefile"]
    found = [
        name(path)
        for path in files
        if "vendor" not in path.parts and pattern.search(path.read_text(errors="replace"))
    ]
    assert found == []


def test_dependencies_say_why() -> None:
    lines = Path(ROOT / "pyproject.toml").read_text().splitlines()
    silent = [
        line.strip()
        for line in lines
        if re.match(r'^    "[a-z][\w\[\],-]*(==[\w.]+)?",', line) and "#" not in line
    ]
    assert silent == []
