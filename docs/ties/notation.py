"""LaTeX in index form, read: from the text of a formula to a tree that can be evaluated.

    s_{nk} = \\frac{e^{z_{nk}}}{\\sum_j e^{z_{nj}}}

A node is a tuple: its kind, and what it is made of. ``("sum", letters, condition, body)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["Equation", "NotationError", "bound", "equations", "symbols"]

Node = tuple[Any, ...]

TOKEN = re.compile(r"\\\\|\\[A-Za-z]+|\\.|\d+\.\d+|\d+|\S")
SPACES = {r"\,", r"\;", r"\!", r"\:", r"\ ", r"\quad", r"\qquad", r"\displaystyle", r"\limits"}
SIZES = {r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\biggl"}
SIZES |= {r"\biggr", r"\Biggl", r"\Biggr", r"\left", r"\right"}
RELATIONS = {"=": "=", "<": "<", ">": ">", r"\ne": "!=", r"\neq": "!=", r"\le": "<=", r"\leq": "<="}
RELATIONS |= {r"\ge": ">=", r"\geq": ">=", r"\lt": "<", r"\gt": ">"}
ENDS = {"-", "+", ")", "]", r"\rvert", ",", *RELATIONS}
ACCENTS = {r"\hat": "hat", r"\bar": "bar", r"\tilde": "tilde", r"\widehat": "hat", r"\dot": "dot"}
FONTS = {
    r"\mathrm",
    r"\mathcal",
    r"\mathbf",
    r"\mathit",
    r"\text",
    r"\operatorname",
    r"\boldsymbol",
}
FUNCTIONS = {r"\log", r"\ln", r"\exp", r"\tanh", r"\cos", r"\sin", r"\Phi", r"\varphi", r"\sigma"}
LETTERS = """alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho
sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell"""
GREEK = {rf"\{name}": name for name in LETTERS.split()}
OVER = {r"\sum", r"\max", r"\min", r"\prod"}
OPEN, CLOSE = {"(", "[", "{", r"\begin", r"\lvert"}, {")", "]", "}", r"\end", r"\rvert"}


class NotationError(ValueError):
    """A formula that cannot be read."""


class Equation(NamedTuple):
    """``left = right = right``: a name, the letters of its indices, and what it is."""

    name: str
    letters: tuple[str, ...]
    right: tuple[Node, ...]
    renews: bool
    """Whether it takes the place of a value that there was: ``w ← w - η g``."""


def equations(latex: str, letters: Sequence[str]) -> list[Equation]:
    """All equations of a block.

    Parameters
    ----------
    letters : those that are indices
    """
    found = []
    for line in _joined(_split(_tokens(latex), {r"\\"})):
        line = [token for part in _split(line, {"&"}) for token in part]
        sides = _split(line, {"=", r"\leftarrow"})
        if len(sides) < 2:
            raise NotationError(f"no equation: {' '.join(line)}")
        left = Reader(sides[0], letters).whole()
        if left[0] != "symbol" or any(index[0] != "letter" for index in left[2]):
            raise NotationError(
                f"left of = a symbol with letters is expected: {' '.join(sides[0])}"
            )
        names = tuple(index[1] for index in left[2])
        right = tuple(Reader(side, letters).whole() for side in sides[1:])
        found.append(Equation(left[1], names, right, r"\leftarrow" in line))
    return found


def _joined(lines: list[list[str]]) -> list[list[str]]:
    """The lines of a block, one that begins with an operator put to the line before."""
    found: list[list[str]] = []
    for line in filter(None, lines):
        begins = next((token for token in line if token != "&"), "")
        if found and begins in {"+", "-", "="}:
            found[-1] += line
        else:
            found.append(line)
    return found


def bound(latex: str) -> list[str]:
    """The letters that sums and maxima go over."""
    tokens = _tokens(latex)
    found: list[str] = []
    for i, token in enumerate(tokens[:-1]):
        if token in OVER and tokens[i + 1] == "_":
            reader = Reader(tokens[i + 2 :], [])
            for part in reader.group():
                if not re.fullmatch("[a-z]", part):
                    break
                found.append(part)
    return found


def symbols(node: Any) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """All names of a tree, with their indices."""
    if isinstance(node, tuple):
        if node[:1] == ("symbol",):
            yield node[1], node[2]
        for part in node:
            yield from symbols(part)


def _tokens(latex: str) -> list[str]:
    text = re.sub(r"(?m)(?<!\\)%.*$", "", latex)
    tokens = _without_outer([t for t in TOKEN.findall(text) if t not in SPACES | SIZES])
    return list(_unbroken(tokens))


def _unbroken(tokens: Sequence[str]) -> Iterator[str]:
    """The tokens without line breaks between parentheses; those of cases stay."""
    inside: list[str] = []
    for token in tokens:
        if token in {"(", "[", r"\begin"}:
            inside.append(token)
        elif token in {")", "]", r"\end"} and inside:
            inside.pop()
        if token not in {r"\\", "&"} or not inside or r"\begin" in inside:
            yield token


def _without_outer(tokens: list[str]) -> list[str]:
    """Leave out \\begin{aligned} … \\end{aligned} and the like, which only align."""
    text = " ".join(tokens)
    for name in ("aligned", "align", "align*", "split", "gathered"):
        spaced = " ".join(name)
        text = text.replace(rf"\begin {{ {spaced} }}", "").replace(rf"\end {{ {spaced} }}", "")
    return text.split()


def _split(tokens: Sequence[str], at: set[str]) -> list[list[str]]:
    """The parts between separators that stand in no brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in OPEN) - (token in CLOSE)
        if depth == 0 and token in at:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


class Reader:
    """Reads one expression, token by token."""

    def __init__(self, tokens: Sequence[str], letters: Sequence[str]) -> None:
        self.tokens, self.letters, self.at = list(tokens), set(letters), 0

    # The tokens

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.next
        if not token or (expected and token != expected):
            here = " ".join(self.tokens[: self.at]) + " ▸ " + " ".join(self.tokens[self.at :])
            raise NotationError(f"expected {expected or 'more'} at ▸ in: {here}")
        self.at += 1
        return token

    def group(self) -> list[str]:
        """The tokens of a group in braces, or the one token that stands for it."""
        if self.next != "{":
            return [self.take()]
        return self.between("{", "}")

    def between(self, opening: str, closing: str) -> list[str]:
        """The tokens up to the bracket that closes this one."""
        self.take(opening)
        first, depth = self.at, 1
        while depth:
            token = self.take()
            depth += (token == opening) - (token == closing)
        return self.tokens[first : self.at - 1]

    def inner(self, tokens: Sequence[str]) -> Node:
        return Reader(tokens, self.letters).whole()

    # The grammar

    def whole(self) -> Node:
        node = self.expression()
        if self.next:
            self.take("the end")
        return node

    def expression(self) -> Node:
        node = ("number", 0.0) if self.next in {"-", "+"} else self.term()
        while self.next in {"-", "+"}:
            sign = self.take()
            node = (sign, node, self.term())
        return node

    def term(self) -> Node:
        node = self.factor()
        while (
            self.next and self.next not in {"-", "+", ")", "]", r"\rvert", ","} | RELATIONS.keys()
        ):
            if self.next == "/":
                self.take()
                node = ("/", node, self.factor())
            elif self.next == r"\odot":
                self.take()
                node = (r"\odot", node, self.factor())
            else:
                if self.next in {r"\cdot", r"\times"}:
                    self.take()
                node = ("*", node, self.factor())
        return node

    def factor(self) -> Node:
        token = self.next
        if token in OVER:
            return self.over_letters()
        node = self.base()
        while self.next == "^":
            self.take()
            node = self.power(node, self.group())
        return node

    def power(self, node: Node, exponent: list[str]) -> Node:
        if exponent in ([r"\top"], ["T"]):
            return ("transposed", node)
        return ("^", node, self.inner(exponent))

    def over_letters(self) -> Node:
        """A sum, product, maximum or minimum over letters, of the product that follows."""
        kind = self.take()[1:]
        if kind in {"max", "min"} and self.next == "(":
            arguments = _split(self.between("(", ")"), {","})
            return (f"{kind} of", *(self.inner(argument) for argument in arguments))
        self.take("_")
        below = self.group()
        if self.next == "^":  # the upper end: the size of the letter
            self.take()
            self.group()
        condition = None
        relation = next((t for t in below if t in RELATIONS), None)
        letters = below if relation is None else below[: below.index(relation)]
        letters = [letter for letter in letters if letter != ","]
        if relation == "=":
            pass  # \sum_{i=1}^{N}: all of them
        elif relation is not None:
            condition = Reader(below, self.letters).condition()
        if stray := set(letters) - self.letters:
            raise NotationError(f"{kind} over {stray}, which no array has as an index")
        return (kind, tuple(letters), condition, self.term())

    def condition(self) -> Node:
        """Relations, joined by commas: all hold. And a word of it: if, otherwise."""
        if self.next == r"\text":
            self.take()
            if "".join(self.group()) in {"otherwise", "else"}:
                return ("number", 1.0)
        parts: list[Node] = []
        left = self.expression()
        while self.next:
            if self.next in {",", r"\land"}:
                self.take()
                left = self.expression()
                continue
            relation = RELATIONS.get(self.take())
            if relation is None:
                raise NotationError(f"expected a relation in: {' '.join(self.tokens)}")
            right = self.expression()
            parts.append(("relation", relation, left, right))
            left = right
        if not parts:
            raise NotationError(f"expected a relation in: {' '.join(self.tokens)}")
        return ("all", *parts)

    def base(self) -> Node:
        token = self.next
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return ("number", float(self.take()))
        if token == "(":
            return self.inner(self.between("(", ")"))
        if token == "{":
            return self.inner(self.group())
        if token == "[":
            return Reader(self.between("[", "]"), self.letters).condition()
        if token == r"\lvert":
            return ("abs", self.inner(self.between(r"\lvert", r"\rvert")))
        if token == r"\sqrt":
            self.take()
            return ("sqrt", self.inner(self.group()))
        if token in {r"\frac", r"\tfrac", r"\dfrac"}:
            return self.fraction()
        if token == r"\begin":
            return self.cases()
        if token == r"\partial":
            return self.partial()
        if token in FUNCTIONS and self.applied():
            name = self.take()[1:]
            return ("log" if name == "ln" else name, self.factor())
        if token == "e" and self.tokens[self.at + 1 : self.at + 2] == ["^"]:
            self.take()
            self.take()
            return ("exp", self.inner(self.group()))
        return self.symbol()

    def applied(self) -> bool:
        """Whether a name that may be a symbol as well has an argument here."""
        after = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else ""
        return self.next not in {r"\sigma", r"\Phi", r"\varphi"} or after == "("

    def fraction(self) -> Node:
        self.take()
        above, below = self.group(), self.group()
        if above and above[0] == r"\partial" and below[:1] == [r"\partial"]:
            return self.gradient(below[1:])
        return ("/", self.inner(above), self.inner(below))

    def partial(self) -> Node:
        """∂L/∂W on one line."""
        self.take(r"\partial")
        self.symbol()
        self.take("/")
        self.take(r"\partial")
        kind, name, *rest = self.symbol()
        return (kind, f"d{name}", *rest)

    def gradient(self, tokens: list[str]) -> Node:
        kind, name, *rest = Reader(tokens, self.letters).factor()
        if kind != "symbol":
            raise NotationError(f"expected a symbol below ∂: {' '.join(tokens)}")
        return (kind, f"d{name}", *rest)

    def cases(self) -> Node:
        self.take(r"\begin")
        if self.group() != list("cases"):
            raise NotationError("expected cases after \\begin")
        first = self.at
        while self.next != r"\end":
            self.take()
        rows = _split(self.tokens[first : self.at], {r"\\"})
        self.take(r"\end")
        self.group()
        return ("cases", *(self.case(row) for row in rows if row))

    def case(self, row: list[str]) -> tuple[Node, Node]:
        """A value and its condition."""
        parts = _split(row, {"&"})
        if len(parts) != 2:
            raise NotationError(f"expected value & condition in: {' '.join(row)}")
        return self.inner(parts[0]), Reader(parts[1], self.letters).condition()

    def symbol(self) -> Node:
        """A name with its indices and powers: ``W^{[1]}_{io}``, ``\\hat x_{nc}^2``."""
        name = self.name()
        while self.next == "'":
            self.take()
            name += "prime"
        indices: tuple[Node, ...] = ()
        powers: list[list[str]] = []
        while self.next in {"_", "^"}:
            if self.take() == "_":
                indices = self.indices(self.group())
            else:
                inside = self.group()
                if inside[:1] == ["["]:
                    word = "".join(inside[1:-1])
                    name += word.replace("-", "m").replace("+", "p")
                elif set(inside) <= {"'", r"\prime"}:
                    name += "prime" * len(inside)
                else:
                    powers.append(inside)
        node: Node = ("symbol", name, indices)
        if name in self.letters and not indices:
            node = ("letter", name)
        for power in powers:
            node = self.power(node, power)
        return node

    def name(self) -> str:
        token = self.take()
        if token in ACCENTS:
            inside = Reader(self.group(), self.letters)
            return inside.name() + ACCENTS[token]
        if token in FONTS:
            return "".join(self.group())
        if token in GREEK:
            return GREEK[token]
        if re.fullmatch(r"[A-Za-z]", token):
            return token
        raise NotationError(f"found {token!r}, which is no symbol, in: {' '.join(self.tokens)}")

    def indices(self, tokens: list[str]) -> tuple[Node, ...]:
        """Expressions between commas, or letters side by side."""
        if "," in tokens:
            return tuple(self.inner(part) for part in _split(tokens, {","}) if part)
        reader, found = Reader(tokens, self.letters), []
        if any(token in {"+", "-", "/"} for token in tokens):
            return (self.inner(tokens),)
        while reader.next:
            found.append(reader.base())
        return tuple(found)
