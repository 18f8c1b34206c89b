"""Write the table of planted faults into ``docs/verification.md``: python docs/faults.py."""

from pathlib import Path

from handgrad.verification import FAULTS, caught

PAGE = Path(__file__).parent / "verification.md"
BEGIN, END = "<!-- faults -->\n", "<!-- end of faults -->\n"


def main() -> None:
    rows = ["| planted | in | caught by |\n", "|---|---|---|\n"]
    for fault in FAULTS:
        finding = caught(fault)
        found = f"{finding.kind} {finding.name}" if finding else "**nothing: a hole**"
        rows.append(f"| {fault.name} | `{fault.where}` | {found} |\n")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n" + "".join(rows) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
