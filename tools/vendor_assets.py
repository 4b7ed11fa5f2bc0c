"""Fetch the browser assets that pages use and write them under core/static/vendor/.

Needs npm, but only when a version changes: the built files are committed, so neither the
running service nor the tests need node.

    python tools/vendor_assets.py            fetch the pinned packages and write everything anew
    python tools/vendor_assets.py --check    compare the committed files with VENDORED.md
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vendor.subset_css import subset

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "core" / "static" / "vendor"
SOURCES = Path(__file__).resolve().parent / "vendor"
MANIFEST = TARGET / "VENDORED.md"

ESBUILD_BINARIES = {
    ("Linux", "x86_64"): "@esbuild/linux-x64",
    ("Linux", "aarch64"): "@esbuild/linux-arm64",
    ("Darwin", "arm64"): "@esbuild/darwin-arm64",
    ("Darwin", "x86_64"): "@esbuild/darwin-x64",
}
ESBUILD_VERSION = "0.28.2"


@dataclass(frozen=True)
class Package:
    """A pinned package and the licence its files come under."""

    name: str
    version: str
    licence: str


TABLER = Package("@tabler/core", "1.6.1", "MIT")
ICONS = Package("@tabler/icons", "3.51.0", "MIT")
HTMX = Package("htmx.org", "2.0.11", "0BSD")
INTER = Package("@fontsource-variable/inter", "5.3.0", "OFL-1.1")
ECHARTS = Package("echarts", "6.1.0", "Apache-2.0")
ZRENDER = Package("zrender", "6.1.0", "BSD-3-Clause")
TSLIB = Package("tslib", "2.3.0", "0BSD")
POPPER = Package("@popperjs/core", "2.11.8", "MIT")
PACKAGES = (TABLER, ICONS, HTMX, INTER, ECHARTS, ZRENDER, TSLIB, POPPER)


def fetch(spec: str, name: str, modules: Path) -> Path:
    """Unpack one package of the registry npm is set up for into modules/name."""
    target = modules / name
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", spec], cwd=folder, check=True, capture_output=True
        )
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        (unpacked,) = (entry for entry in Path(folder).iterdir() if entry.is_dir())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, target)
    return target


def bundle(esbuild: Path, work: Path, entry: str, output: Path, *, form: str, banner: str) -> None:
    """Bundle one entry file of tools/vendor/ into one minified file."""
    shutil.copy(SOURCES / entry, work / entry)
    command = [
        str(esbuild), entry, "--bundle", "--minify", f"--format={form}", "--target=es2020",
        "--legal-comments=eof", "--charset=utf8", f"--banner:js={banner}", f"--outfile={output}",
        '--define:process.env.NODE_ENV="production"', "--log-level=warning",
    ]  # fmt: skip
    subprocess.run(command, cwd=work, check=True)


def icon_names() -> list[str]:
    """Names listed in icons.txt, sorted."""
    lines = (SOURCES / "icons.txt").read_text(encoding="utf-8").splitlines()
    return sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")})


def sprite(package: Path) -> str:
    """One SVG with a <symbol> per listed icon; drawing attributes come from the page's CSS."""
    symbols = []
    for name in icon_names():
        filled = name.endswith("-filled")
        folder = "filled" if filled else "outline"
        source = package / "icons" / folder / f"{name.removesuffix('-filled')}.svg"
        drawing = source.read_text(encoding="utf-8")
        body = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.index("</svg>")]
        body = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", body)
        body = re.sub(r"\s*\n\s*", "", body).replace(" />", "/>").strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def without_source_map(text: str) -> str:
    """Drop the pointer to a map we do not ship (the static-file manifest would look for it)."""
    return re.sub(r"\s*(/\*# sourceMappingURL=.*?\*/|//# sourceMappingURL=\S+)\s*$", "\n", text)


def build() -> list[tuple[Path, Package, str]]:
    """Write every vendored file; return (file, package, note) for the manifest."""
    binary = ESBUILD_BINARIES[platform.system(), platform.machine()]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        modules = work / "node_modules"
        found = {p: fetch(f"{p.name}@{p.version}", p.name, modules) for p in PACKAGES}
        esbuild = fetch(f"{binary}@{ESBUILD_VERSION}", "esbuild", modules) / "bin" / "esbuild"

        for old in TARGET.rglob("*"):
            if old.is_file():
                old.unlink()
        for sub in ("tabler", "htmx", "echarts", "inter"):
            (TARGET / sub).mkdir(parents=True, exist_ok=True)

        css = (found[TABLER] / "dist/css/tabler.min.css").read_text(encoding="utf-8")
        full = TARGET / "tabler" / "tabler.min.css"
        full.write_text(without_source_map(css), encoding="utf-8")
        small = TARGET / "tabler" / "tabler-portal.min.css"
        families = (SOURCES / "portal_css.txt").read_text(encoding="utf-8")
        small.write_text(subset(without_source_map(css), families), encoding="utf-8")

        tabler_js = TARGET / "tabler" / "tabler-console.min.js"
        note = f"/*! Tabler {TABLER.version} (MIT), Popper {POPPER.version} (MIT) */"
        bundle(esbuild, work, "bootstrap.js", tabler_js, form="iife", banner=note)
        charts = TARGET / "echarts" / "echarts.esm.min.js"
        note = f"/*! Apache ECharts {ECHARTS.version} (Apache-2.0), ZRender {ZRENDER.version} (BSD-3-Clause) */"
        bundle(esbuild, work, "echarts.js", charts, form="esm", banner=note)

        htmx = TARGET / "htmx" / "htmx.min.js"
        shutil.copy(found[HTMX] / "dist/htmx.min.js", htmx)
        font = TARGET / "inter" / "inter-latin-wght-normal.woff2"
        shutil.copy(found[INTER] / "files" / font.name, font)
        icons = TARGET / "icons.svg"
        icons.write_text(sprite(found[ICONS]), encoding="utf-8")

        licences = TARGET / "licences"
        licences.mkdir(exist_ok=True)
        # The package of Tabler comes without the text of its licence.
        own = licences / "tabler-core-LICENSE"
        shutil.copy(SOURCES / "licences" / own.name, own)
        texts = [(own, TABLER, "licence text")]
        for package, path in found.items():
            for source in sorted(path.glob("LICENSE*")) + sorted(path.glob("NOTICE*")):
                copy = licences / f"{package.name.replace('@', '').replace('/', '-')}-{source.name}"
                shutil.copy(source, copy)
                texts.append((copy, package, "licence text"))

    return [
        (full, TABLER, "as published"),
        (small, TABLER, "subset for the portal, families in tools/vendor/portal_css.txt"),
        (
            tabler_js,
            TABLER,
            f"bundle of dropdown, off-canvas, collapse, tooltip with Popper {POPPER.version}",
        ),
        (htmx, HTMX, "as published"),
        (charts, ECHARTS, f"bundle with ZRender {ZRENDER.version} and tslib {TSLIB.version}"),
        (font, INTER, "as published"),
        (icons, ICONS, "sprite of the icons in tools/vendor/icons.txt"),
        *texts,
    ]


def digest(path: Path) -> str:
    """SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(files: list[tuple[Path, Package, str]]) -> None:
    """Write VENDORED.md: what each file is, its version, licence and SHA-256."""
    lines = [
        "# Vendored browser assets",
        "",
        "Written by `tools/vendor_assets.py`; do not edit. `tools/vendor_assets.py --check` compares the files with this table.",
        "",
        "| file | package | version | licence | what | sha256 |",
        "|---|---|---|---|---|---|",
    ]
    for path, package, what in files:
        name = path.relative_to(TARGET).as_posix()
        lines.append(
            f"| {name} | {package.name} | {package.version} | {package.licence} | {what} | {digest(path)} |"
        )
    MANIFEST.write_text("\n".join(lines) + "\n", encoding="utf-8")


def problems() -> list[str]:
    """Differences between VENDORED.md and the files beside it."""
    rows = re.findall(
        r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", MANIFEST.read_text("utf-8"), re.MULTILINE
    )
    listed = dict(rows)
    present = {
        path.relative_to(TARGET).as_posix(): path
        for path in TARGET.rglob("*")
        if path.is_file() and path != MANIFEST
    }
    found = [f"{name}: not in VENDORED.md" for name in sorted(set(present) - set(listed))]
    found += [f"{name}: missing" for name in sorted(set(listed) - set(present))]
    found += [
        f"{name}: content differs from VENDORED.md"
        for name in sorted(set(listed) & set(present))
        if digest(present[name]) != listed[name]
    ]
    return found


def main() -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description="Fetch and check vendored browser assets")
    parser.add_argument("--check", action="store_true", help="only compare with VENDORED.md")
    if not parser.parse_args().check:
        write_manifest(build())
    found = problems()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
