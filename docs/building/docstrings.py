"""A docstring of the house as reStructuredText, so that it reads on a page as it does in the code.

The house writes plain text: names in single backticks, code in double ones, a derivation indented
by four, sections with an underlined header, an example after ``>>>``. None of it is markup, so
whatever reStructuredText would take for markup is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["converted", "escaped"]

NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
SECTION = re.compile(r"[A-Z][a-z]+( [a-z]+)?")
LIST = re.compile(r"- ")
REMARK = re.compile(r"(Costs?|Sources?|Thanks): ")
PLAIN = str.maketrans({letter: f"\\{letter}" for letter in "\\*_|`"})


def escaped(text: str) -> str:
    """Prose with `names` and ``code``, as reStructuredText.

    >>> escaped("of `softmax`, ``e^z``: s_k * |x|")
    'of :name:`softmax`, ``e^z``: s\\\\_k \\\\* \\\\|x\\\\|'
    """
    return "".join(_parts(text))


def _parts(text: str) -> Iterator[str]:
    end = 0
    for found in re.finditer(r"(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", text, re.DOTALL):
        yield _plain(text[end : found.start()])
        inside = re.sub(r"\s*\n\s*", " ", found[2])
        is_name = found[1] == "`" and NAME.fullmatch(inside)
        # Markup begins and ends at a space or at punctuation; "\\ " is a space that is not seen.
        before = "" if re.search(r"(^|[\s'\"(\[{<\-/:])$", text[end : found.start()]) else "\\ "
        end = found.end()
        after = "" if re.match(r"$|[\s'\")\]}>\-/:.,;!?]", text[end:]) else "\\ "
        yield before + (f":name:`{inside}`" if is_name else f"``{inside}``") + after
    yield _plain(text[end:])


def _plain(text: str) -> str:
    """Prose without names and code: only *stress* is markup in it."""
    parts = re.split(r"((?<![\w*])(?:\*\*\w[\w ]*\*\*|\*\w[\w ]*\*)(?![\w*]))", text)
    return "".join(part if i % 2 else part.translate(PLAIN) for i, part in enumerate(parts))


def converted(lines: list[str]) -> list[str]:
    """The lines of a docstring, without common indentation, as lines of reStructuredText."""
    return list(_converted(list(lines)))


def _converted(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            yield ""
            at += 1
        elif _is_header(lines, at):
            end = _section_end(lines, at + 2)
            yield from _section(line.strip(), lines[at + 2 : end])
            at = end
        elif line.startswith(">>>"):
            end = _paragraph_end(lines, at)
            yield from ["", ".. code-block:: pycon", "", *_indented(lines[at:end]), ""]
            at = end
        elif line.startswith("    "):
            end = _block_end(lines, at)
            block = [each[4:] for each in lines[at:end]]
            kind = "pycon" if block[0].startswith(">>>") else "text"
            yield from ["", f".. code-block:: {kind}", "   :class: derivation", ""]
            yield from [*_indented(block), ""]
            at = end
        else:
            end = _prose_end(lines, at)
            yield from _prose(lines[at:end])
            at = end


def _is_header(lines: list[str], at: int) -> bool:
    underlined = at + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[at + 1].strip())
    return bool(underlined and SECTION.fullmatch(lines[at].strip()))


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}".rstrip() for line in lines]


def _paragraph_end(lines: list[str], at: int) -> int:
    while at < len(lines) and lines[at].strip():
        at += 1
    return at


def _block_end(lines: list[str], at: int) -> int:
    """Where lines indented by four end; empty lines between them belong to them."""
    end = at
    while at < len(lines) and (not lines[at].strip() or lines[at].startswith("    ")):
        at += 1
        if lines[at - 1].strip():
            end = at
    return end


def _prose_end(lines: list[str], at: int) -> int:
    """Where a paragraph ends: at an empty line, a derivation or an example right under it."""
    first = at
    listed = bool(LIST.match(lines[at]))
    while at < len(lines) and lines[at].strip() and not lines[at].startswith(">>>"):
        if at > first and lines[at].startswith("    ") and not listed:
            break
        listed |= bool(LIST.match(lines[at]))
        at += 1
    return at


def _section_end(lines: list[str], at: int) -> int:
    """A section ends at an empty line, unless what follows is indented: then it goes on."""
    while True:
        at = _paragraph_end(lines, at)
        following = at
        while following < len(lines) and not lines[following].strip():
            following += 1
        if following == len(lines) or not lines[following].startswith("    "):
            return at
        at = following


def _prose(lines: list[str]) -> list[str]:
    remarks = [i for i, line in enumerate(lines) if REMARK.match(line)]
    if remarks and remarks[0] == 0:
        found = []
        for start, end in zip(remarks, [*remarks[1:], len(lines)], strict=True):
            name, text = "\n".join(lines[start:end]).split(": ", 1)
            words = escaped(text).splitlines()
            found += [
                f":{name}: {words[0].strip()}",
                *(f"    {word.strip()}" for word in words[1:]),
            ]
        return ["", *found, ""]
    if remarks:
        return [*_prose(lines[: remarks[0]]), *_prose(lines[remarks[0] :])]
    items = [i for i, line in enumerate(lines) if LIST.match(line)]
    if items and items[0] > 0:
        return [*_prose(lines[: items[0]]), "", *_prose(lines[items[0] :])]
    if items:
        found = escaped("\n".join(lines)).splitlines()
        return ["", *found, ""]
    return escaped("\n".join(line.strip() for line in lines)).splitlines()


def _section(header: str, lines: list[str]) -> Iterator[str]:
    """A section as a field, its entries as a list of terms and what is said of each."""
    yield from ["", f":{header}:"]
    yield ""
    at = 0
    while at < len(lines):
        line, end = lines[at], at + 1
        while end < len(lines) and (lines[end].startswith(" ") or not lines[end].strip()):
            end += 1
        rest = [re.sub(r" {2,}", " ", each.strip()) for each in lines[at + 1 : end] if each.strip()]
        term, colon, said = line.partition(" : ")
        if not colon and not rest:
            yield from (f"    {part}" for part in ["", escaped(_even(line)), ""])
        elif colon and _are_names(term):
            text = escaped("\n".join(each for each in (_even(said), *rest) if each))
            yield f"    {', '.join(f'``{name.strip()}``' for name in term.split(', '))}"
            yield from (f"        {part}" for part in text.splitlines())
            yield ""
        else:
            text = escaped("\n".join([_even(line), *rest]))
            yield from (f"    {part}" for part in ["", *text.splitlines(), ""])
        at = end


def _are_names(term: str) -> bool:
    return all(re.fullmatch(r"[*\w.′̂ ŷ∂]+", name.strip()) for name in term.split(","))


def _even(text: str) -> str:
    """Columns of a docstring as a sentence: what was apart is parted by a comma."""
    return re.sub(r"(?<=[^,;:\s])\s{2,}", ", ", text.strip())
