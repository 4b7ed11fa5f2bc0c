"""Files of any packing, encoding and line end come out as numbered lines."""

import gzip
from pathlib import Path

import pytest

from members.activity.imports.sources import MAX_LINE, BadFileError, Lines, inspect

TEXT = "member,store\nM-1,上海\nM-2,広島 ñ\n"


def lines_of(path: Path, **options: str) -> list[tuple[int, str | None]]:
    return list(Lines(inspect(path, **options)))


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        ("\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("gb18030"), "gb18030"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_encoding_packing_and_line_end(
    tmp_path: Path, data: bytes, encoding: str, packed: bool, line_end: str
) -> None:
    codec = "utf-16-be" if data.startswith(b"\xfe\xff") else encoding
    data = data.decode(codec).replace("\n", line_end).encode(codec)
    path = tmp_path / "purchases.csv"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    source = inspect(path)
    assert (source.encoding, source.is_gzip, source.size) == (encoding, packed, path.stat().st_size)
    assert list(Lines(source)) == [(1, "member,store"), (2, "M-1,上海"), (3, "M-2,広島 ñ")]


def test_a_chinese_name_after_a_megabyte_of_ascii(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"M-1,Shanghai\n" * 100_000 + "M-2,上海\n".encode("gb18030"))
    assert inspect(path).encoding == "gb18030"
    *_rest, last = Lines(inspect(path))
    assert last == (100_001, "M-2,上海")


def test_the_caller_may_name_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("caf\u00e9".encode("latin-1"))
    assert lines_of(path, encoding="latin-1") == [(1, "café")]


def test_no_line_end_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv"
    path.write_text("a\nb", newline="")
    assert lines_of(path) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 10_000_000])
def test_a_long_field_is_one_line_that_is_not_kept(tmp_path: Path, length: int) -> None:
    path = tmp_path / "long.csv"
    path.write_text(f"head\n{'x' * length}\nnext\n", newline="")
    kept = "x" * length if length <= MAX_LINE else None
    assert lines_of(path) == [(1, "head"), (2, kept), (3, "next")]
    path.write_text(f"head\n{'x' * length}", newline="")
    assert lines_of(path) == [(1, "head"), (2, kept)]


def test_progress_counts_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_bytes(b"x" * 99 + b"\n" + b"y\n" * 500_000)
    lines = Lines(inspect(path))
    next(iter(lines))
    assert 0 < lines.read < 1_000_100
    assert sum(1 for _ in lines) == 500_001
    assert lines.read == 1_000_100


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"\r\n \n", "empty_file"),
        (b"\xef\xbb\xbf\n", "empty_file"),
        (gzip.compress(TEXT.encode() * 5_000, mtime=0)[:-200], "broken_gzip"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-8] + b"\0\0\0\0\0\0\0\0", "broken_gzip"),
        (b"\x1f\x8b not gzip at all", "broken_gzip"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le") + b"x", "broken_encoding"),
        (b"a,b\n\xff\xff\n", "broken_encoding"),
    ],
)
def test_files_that_can_not_be_read(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    with pytest.raises(BadFileError) as bad:
        list(Lines(inspect(path)))
    assert bad.value.code == code


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(BadFileError) as bad:
            inspect(path)
        assert bad.value.code == "no_file"
