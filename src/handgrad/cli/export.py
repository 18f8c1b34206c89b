"""``handgrad export``."""

from __future__ import annotations

from pathlib import Path

import click

from handgrad.cli.words import as_json, say_json

__all__ = ["export"]


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="[MODEL] OUT")
@click.option("--torch", is_flag=True, help="A PyTorch module, OUT.py, and its weights beside it.")
@as_json
def export(arguments: tuple[str, ...], torch: bool, as_json: bool) -> None:
    """Write a model for other programs: OUT.onnx, or with --torch OUT.py.

    MODEL is a run's folder or a .safetensors file; the newest run if not given. The ONNX file
    takes images (N, H, W, C) as uint8, decoded and resized, and answers with probabilities and
    labels: all that is done to the pixels after that is in it, class names and the contract of
    preparation in its metadata. It needs the extra: pip install 'handgrad[export]'. `handgrad
    parity` compares it with the model on your own images. The PyTorch module is a short program to
    read and to train further; its weights stand in OUT.safetensors.

    \b
    Examples:
      handgrad export model.onnx
      handgrad export runs/airplane-bike bike.onnx
      handgrad export --torch runs/airplane-bike bike.py
    """
    from handgrad.errors import HandgradError
    from handgrad.experiments import Run
    from handgrad.export import save_onnx, save_torch

    if len(arguments) > 2:
        raise click.UsageError(f"found {len(arguments)} arguments; expected [MODEL] OUT")
    out, ending = Path(arguments[-1]), ".py" if torch else ".onnx"
    if out.suffix != ending:
        raise HandgradError(f"{out}: found another ending; expected {ending}")
    run = Run(arguments[0]) if len(arguments) == 2 else Run.newest()
    if torch:
        files = [out, save_torch(run.model, out)]
    else:
        save_onnx(run.model, out)
        files = [out]
    if as_json:
        told = [{"file": str(file), "bytes": file.stat().st_size} for file in files]
        say_json({"model": str(run.model_file), "files": told})
    else:
        click.echo(f"model    {run.model_file}")
        for file in files:
            click.echo(f"written  {file} ({file.stat().st_size:,} bytes)")
