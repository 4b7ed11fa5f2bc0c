"""The committed browser assets are what the table says, and nothing is fetched from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
VENDOR = ROOT / "core" / "static" / "vendor"


def test_files_match_the_table() -> None:
    command = [sys.executable, "tools/vendor_assets.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == ""
    assert run.returncode == 0


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import vendor_assets as tool
    finally:
        sys.path.pop(0)
    manifest = tmp_path / "VENDORED.md"
    manifest.write_text((VENDOR / "VENDORED.md").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "icons.svg").write_text("changed", encoding="utf-8")
    (tmp_path / "stray.js").write_text("", encoding="utf-8")
    tool.TARGET, tool.MANIFEST = tmp_path, manifest
    found = tool.problems()
    assert "icons.svg: content differs from VENDORED.md" in found
    assert "stray.js: not in VENDORED.md" in found
    assert "htmx/htmx.min.js: missing" in found


def test_our_assets_name_no_other_host() -> None:
    for name in ("app.css", "app.js", "charts.js"):
        text = (ROOT / "core" / "static" / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://", text), name


def test_every_style_sheet_reference_exists() -> None:
    for sheet in (ROOT / "core" / "static").rglob("*.css"):
        for target in re.findall(
            r"url\(\"?(?!data:)([^\"')#]+)", sheet.read_text(encoding="utf-8")
        ):
            assert (sheet.parent / target).is_file(), f"{sheet.name}: {target}"
