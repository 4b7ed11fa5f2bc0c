"""Files of codes: encodings, head lines, and every bad line by its number."""

import gzip

import pytest

from benefits.catalogue.code_files import LineProblem, read_lines
from benefits.catalogue.errors import BadCodeFileError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_codes_are_read_whatever_the_file(encoding: str, ends: str) -> None:
    text = ends.join(["券码,备注", "A-1,第一", '"B,2",x', " C 3 ", "", ""])
    codes, problems = read_lines(text.encode(encoding))
    assert codes == [(2, "A-1"), (3, "B,2"), (4, "C 3")]
    assert problems == []


def test_every_bad_line_is_named() -> None:
    text = "\n".join(["A", "", "B", "A", "x" * 121, "C\x00", "B", "D"])
    codes, problems = read_lines(text.encode())
    assert codes == [(1, "A"), (3, "B"), (8, "D")]
    assert problems == [
        LineProblem(2, "empty"),
        LineProblem(4, "twice", 1),
        LineProblem(5, "too_long"),
        LineProblem(6, "control"),
        LineProblem(7, "twice", 3),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"code\n", "empty"),
        (b"\xff\xfeA", "encoding"),
        (gzip.compress(b"A\nB", mtime=0), "encoding"),
        (b"A\n" * 200_001, "too_many"),
        (b"A" * (16 * 1024 * 1024 + 1), "too_large"),
    ],
)
def test_files_that_are_none_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadCodeFileError) as refused:
        read_lines(content)
    assert refused.value.data["reason"] == reason
