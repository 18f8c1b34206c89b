import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry

from handgrad.pictures import lettering


@pytest.fixture
def installed(monkeypatch):
    """A machine on which STIX and one broken file are the only installed fonts."""

    def have(*fonts):
        monkeypatch.setattr(lettering, "_installed", lambda: tuple(fonts))
        lettering._font_with.cache_clear()

    yield have
    monkeypatch.undo()
    lettering._font_with.cache_clear()


STIX = ("STIXGeneral", lettering.REGULAR.replace("DejaVuSans", "STIXGeneral"))
# In STIXGeneral, not in DejaVu Sans: U+23DF in neither machine's letters would be a box.
ONLY_STIX = "\u29c4"


def test_the_chosen_sign_is_in_one_font_only():
    assert ord(ONLY_STIX) not in lettering._characters(lettering.REGULAR)
    assert ord(ONLY_STIX) in lettering._characters(STIX[1])


def test_a_character_that_no_font_has_is_written_as_its_code(installed):
    installed()
    assert lettering.drawable("a猫b") == "a\\u732bb"
    assert lettering.drawable("狗") != lettering.drawable("猫")
    assert lettering.drawable("\U0001f9a6\x07") == "\\U0001f9a6\\x07"
    assert lettering.drawable("\udcff") == "\\udcff"  # a file name that is not UTF-8
    assert lettering.drawable(" a\r\n\tb ") == "a b"


def test_an_installed_font_is_used_for_what_dejavu_lacks(installed):
    installed(("Broken", __file__), STIX)
    assert lettering.drawable(f"é{ONLY_STIX}猫") == f"é{ONLY_STIX}\\u732b"
    assert lettering.families(["é", f"a{ONLY_STIX}"]) == ["DejaVu Sans", "STIXGeneral"]
    assert lettering.families(["é"]) == ["DejaVu Sans"]
    figure = Figure()
    text = f"a{ONLY_STIX}"
    figure.text(0.5, 0.5, text, fontfamily=lettering.families([text]))
    figure.draw_without_rendering()  # a missing sign would be a warning, and so an error


def test_pillow_gets_the_one_font_that_has_most(installed):
    installed(STIX)
    assert lettering.file_for("plain") == lettering.BOLD
    assert lettering.file_for(f"plain {ONLY_STIX}") == STIX[1]
    assert lettering.drawable("✓", STIX[1]) != lettering.drawable("é", STIX[1])


def test_no_font_of_formulas_or_boxes_is_taken_for_letters(monkeypatch, tmp_path):
    boxes = [
        FontEntry(fname=str(tmp_path / name), name=name, weight=400)
        for name in ("Last Resort X", ".LastResort")
    ]
    letters = FontEntry(fname=str(tmp_path / "a.ttf"), name="Letters", weight=400)
    own = lettering.fontManager.ttflist
    monkeypatch.setattr(lettering.fontManager, "ttflist", [*own, *boxes, letters])
    lettering._installed.cache_clear()
    names = [family.lower() for family, _ in lettering._installed()]
    lettering._installed.cache_clear()
    assert "letters" in names
    assert not any("resort" in name or name.startswith("cm") for name in names)


def test_shortened_keeps_as_much_as_fits():
    text = "abcdefghij"
    found = [lettering.shortened(text, lambda t, n=n: len(t) <= n) for n in (10, 9, 4, 1)]
    assert found == ["abcdefghij", "abcd…ghij", "ab…j", "…"]
