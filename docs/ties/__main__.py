"""Say of each formula of some pages whether its function agrees: python -m docs.ties PAGE…"""

import sys
from pathlib import Path

from docs.ties.formula import formulas_of

HERE = Path(__file__).resolve().parents[1]


def main(pages: list[str]) -> int:
    wrong = 0
    for page in map(Path, pages) if pages else sorted(HERE.glob("book/*.md")):
        for formula in formulas_of(page):
            fault = formula.fault()
            wrong += bool(fault)
            print(f"{page.name}: {formula.label}: {fault or 'agrees with ' + formula.function}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
