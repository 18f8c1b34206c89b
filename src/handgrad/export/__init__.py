"""A model for other programs: as an ONNX file, as a PyTorch module; and whether they agree.

What is written is the network as it predicts, together with all of the contract that follows
decoding and resizing. The command line and Python call; nothing from a file is ever executed but
the graph itself, by onnxruntime or by onnx's reference evaluator.
"""

from handgrad.export.agreement import Flip, Parity, parity
from handgrad.export.onnx_file import onnx_bytes, save_onnx
from handgrad.export.torch_file import save_torch

__all__ = ["Flip", "Parity", "onnx_bytes", "parity", "save_onnx", "save_torch"]
