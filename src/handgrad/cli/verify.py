"""``handgrad verify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from handgrad.cli.words import as_json, columns, say_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from handgrad.verification import Finding, Ledger

__all__ = ["verify"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--model", metavar="MODEL", help="Also a run's or a model file's own network.")
@click.option("--module", type=click.Path(), metavar="FILE.py", help="Also what a file defines.")
@as_json
def verify(names: tuple[str, ...], model: str | None, module: str | None, as_json: bool) -> int:
    """Verify every derivative, on this machine: the gradient certificate.

    Each function, layer, loss, optimizer and schedule that there is, the training loop and the
    networks of the recipes are held against a second way of computing the same: differences and the
    complex step for derivatives, definitions and published updates in plain floats for values. Exit
    code 1 if anything fails. NAME chooses rows ("relu", "layer", "recipe mnist").

    --module FILE.py runs that file, and verifies the layers, losses, optimizers and schedules that
    it defines with the others. --model prints the certificate saved with a model (`handgrad train
    --verify`), repeats it, and verifies the model's network.

    \b
    Examples:
      handgrad verify
      handgrad verify layer --json
      handgrad verify --model runs/digits-2026-11-21-101500
      handgrad verify --module mylayer.py
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.errors import DataError
    from handgrad.experiments import Run, model_check, recipe_checks
    from handgrad.verification import checks, verify

    own = _load(module) if module else ()
    chosen = {**checks(own), **recipe_checks()}
    if own and not checks(own).keys() - checks().keys():
        expected = "a class of Layer, Loss, Optimizer or Schedule with a name of its own"
        raise DataError(str(module), "nothing to verify", expected)
    saved = None
    if names:
        chosen = _chosen(chosen, names)
    if model:
        run = Run(model)
        saved = run.model.about.get("certificate")
        chosen[f"model {run.model_file}"] = model_check(run.model, str(run.model_file))
    findings = []
    with Terminal(sys.stderr) as viewer:
        for finding in verify(chosen.items()):
            findings.append(finding)
            viewer.loading("verifying", len(findings), len(chosen))
    if as_json:
        say_json([finding.table() for finding in findings])
    else:
        click.echo(_told(findings))
    for finding in findings:
        if finding.failure:
            click.echo(f"handgrad: {finding.kind} {finding.failure}", err=True)
    if model and not as_json:
        click.echo(_compared(saved, findings))
    return 0 if all(finding.passed for finding in findings) else 1


def _load(path: str) -> tuple[str, ...]:
    """Run a user's file; the name of its module, so that its classes are known as its own."""
    import importlib.util
    from pathlib import Path

    from handgrad.errors import DataError

    file = Path(path)
    if not file.is_file():
        raise DataError(path, "no such file", "a Python file with layers")
    name = f"_verified_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DataError(path, "a file of another kind", "a Python file (.py) with layers")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may raise
        raise DataError(path, f"{type(error).__name__}: {error}", "a file that runs") from None
    return (name,)


def _chosen(
    known: dict[str, Callable[[], Ledger]], names: tuple[str, ...]
) -> dict[str, Callable[[], Ledger]]:
    """The checks that some names mean: a whole name, its kind, or its own part."""
    from handgrad.errors import HandgradError, nearest

    chosen: dict[str, Callable[[], Ledger]] = {}
    for name in names:
        meant = [full for full in known if name in (full, *full.split(" ", 1))]
        if not meant:
            words = {word for full in known for word in full.split(" ", 1)}
            raise HandgradError(f"{name}: nothing of that name to verify{nearest(name, words)}")
        chosen |= {full: known[full] for full in meant}
    return chosen


def _told(findings: list[Finding]) -> str:
    """The certificate as a table, with its sum."""
    rows: list[list[Any]] = [["", "what", "worst error", "compared", "with", "shapes"]]
    for f in findings:
        mark = "pass" if f.passed else "FAIL"
        shapes = ", ".join(f.shapes[:4]) + (", …" if len(f.shapes) > 4 else "")
        worst = f"{f.worst_error:.1e}"
        rows.append([mark, f"{f.kind} {f.name}", worst, f"{f.comparisons:,}", f.method, shapes])
    good = sum(f.passed for f in findings)
    compared = sum(f.comparisons for f in findings)
    worst_of_all = max((f.worst_error for f in findings), default=0.0)
    return (
        columns(rows, right=[2, 3])
        + f"\n\n{good} of {len(findings)} pass; {compared:,} numbers compared; "
        f"worst relative error {worst_of_all:.1e}"
    )


def _compared(saved: dict[str, Any] | None, findings: list[Finding]) -> str:
    """What the saved certificate says, beside what was found now."""
    if saved is None:
        return "no certificate is saved with this model (`handgrad train --verify` saves one)"
    versions = ", ".join(f"{name} {version}" for name, version in saved["versions"].items())
    before = {f"{row['kind']} {row['name']}": row["passed"] for row in saved["rows"]}
    now = {f"{f.kind} {f.name}": f.passed for f in findings}
    changed = sorted(name for name in before.keys() & now.keys() if before[name] != now[name])
    return (
        f"saved certificate: {sum(before.values())} of {len(before)} passed, with {versions}; "
        + (f"now different: {', '.join(changed)}" if changed else "repeated here with the same end")
    )
