"""``handgrad parity``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from handgrad.cli.words import as_json, columns, percent, say_json

if TYPE_CHECKING:
    from handgrad.export import Flip, Parity

__all__ = ["parity"]


@click.command()
@click.argument("model")
@click.argument("onnx", metavar="OUT.onnx")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE…")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-5,
    show_default=True,
    help="By how much a probability may differ.",
)
@as_json
def parity(model: str, onnx: str, images: tuple[str, ...], tolerance: float, as_json: bool) -> int:
    """Ask a model and its ONNX file about the same images, and compare.

    MODEL is a run's folder or a .safetensors file, OUT.onnx what `handgrad export` made of it. Each
    image is decoded once; the rest each side does by itself, the file by onnxruntime or, where
    that is not installed, by onnx's reference evaluator. Exit code 1 where a probability differs by
    more than --tolerance, a label differs, or an image cannot be read (2 if none can).

    \b
    Examples:
      handgrad parity runs/airplane-bike bike.onnx photos/*.jpg
      handgrad parity model.safetensors model.onnx a.png b.png --tolerance 1e-4 --json
    """
    from handgrad.cli.viewer import Terminal
    from handgrad.experiments import Run, answering
    from handgrad.export import parity as compared

    found_model = Run(model).model
    with Terminal(sys.stderr) as viewer, answering(found_model.network, len(images)):
        found = compared(
            found_model, onnx, images, each=lambda done, all_: viewer.loading("read", done, all_)
        )
    if as_json:
        say_json(_table(found, tolerance))
    else:
        _tell(found, tolerance)
    if not found.n:
        return 2
    return 0 if found.within(tolerance) and not found.failures else 1


def _table(found: Parity, tolerance: float) -> dict[str, object]:
    return {
        "images": found.n,
        "evaluator": found.evaluator,
        "largest_difference": found.largest_difference,
        "tolerance": tolerance,
        "flips": [_flip(flip) for flip in found.flips],
        "failures": [{"file": fault.path, "error": str(fault)} for fault in found.failures],
    }


def _flip(flip: Flip) -> dict[str, object]:
    sides = {"model": flip.model, "onnx": flip.onnx}
    names = ("label", "probability", "probabilities")
    told = {side: {name: getattr(said, name) for name in names} for side, said in sides.items()}
    return {"index": flip.index, "file": flip.file} | told


def _tell(found: Parity, tolerance: float) -> None:
    for fault in found.failures:
        click.echo(f"handgrad: {fault}", err=True)
    if not found.n:
        return
    word = "within" if found.largest_difference <= tolerance else "beyond"
    click.echo(f"images      {found.n:,}, by {found.evaluator}")
    click.echo(f"difference  {found.largest_difference:.2g} at most, {word} {tolerance:g}")
    click.echo(f"labels      {len(found.flips)} of {found.n:,} differ")
    if found.flips:
        rows = [
            [
                flip.file,
                *(f"{side.label} {percent(side.probability)}" for side in (flip.model, flip.onnx)),
            ]
            for flip in found.flips
        ]
        click.echo(columns([["file", "model", "onnx"], *rows]))
