"""The quarantine list: whatever a file is called, and whoever edits it."""

from __future__ import annotations

import pytest

from handgrad.datasets.quarantine import quarantine_text, read_quarantine
from handgrad.errors import DataError

NAMES = [
    "cats/plain.jpg",
    "cats/a name, with spaces.jpg",
    'cats/a "quoted" one.jpg',
    "cats/two\nlines.jpg",
    "cats/carriage\r\nreturn.jpg",
    "cats/naïve 猫.jpg",
    "cats/bytes \\xff.jpg",
    "#cats/looks like a comment.jpg",
    "cats/one\n# more.jpg",
    " cats/space before and after.jpg ",
    "file",
]


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "list.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_there_and_back(written):
    files = {name: f"reason {i}, and more" for i, name in enumerate(NAMES)}
    assert read_quarantine(written(quarantine_text(files, "of\nphotos"))) == files
    assert read_quarantine(written(quarantine_text({}))) == {}


def test_rows_may_be_deleted_and_comments_written(written):
    text = quarantine_text(dict.fromkeys(NAMES[:4], "why"), "of photos")
    lines = [line for line in text.splitlines() if "plain" not in line]
    lines.insert(2, "# I looked at these, they are fine")
    lines.insert(3, '#"cats/kept.jpg","not any more"')
    lines.append("# after a name of two lines")
    assert list(read_quarantine(written("\n".join(lines)))) == NAMES[1:4]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("cats/1.jpg\ncats/2.jpg\n", {"cats/1.jpg": "", "cats/2.jpg": ""}),
        ("file,reason\r\ncats/1.jpg,bad\r\n\r\n", {"cats/1.jpg": "bad"}),
        ("file\ncats/1.jpg", {"cats/1.jpg": ""}),
        ("\ufefffile,reason\ncats/1.jpg,\n", {"cats/1.jpg": ""}),
        ("", {}),
    ],
)
def test_what_people_and_spreadsheets_write(written, text, files):
    assert read_quarantine(written(text)) == files


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cats/a, b, c.jpg,why\n", "a row of 4 cells ('cats/a, b, c.jpg,why')"),
        (b"cats/\xff.jpg\n", "bytes that are not UTF-8"),
        ('file,reason\n"cats/1.jpg"x,why\n', "text that is no CSV"),
        ('file,reason\n"cats/1.jpg,why\n', "text that is no CSV"),
    ],
)
def test_what_is_no_list_is_named(written, text, found):
    path = written(text)
    with pytest.raises(DataError) as said:
        read_quarantine(path)
    assert str(said.value).startswith(f"{path}: found {found}")
    assert "a CSV with the columns file and reason" in str(said.value)


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: found No such file or directory; expected a"):
        read_quarantine(tmp_path / "none.csv")
