"""Files: the model, the run, prepared data; each written beside and renamed.

Experiments save and load through here. Nothing in a file is ever executed or unpickled.
"""

from handgrad.storage.model_file import FORMAT, load_model, save_model
from handgrad.storage.prepared import write_prepared
from handgrad.storage.tensors import read_tensors, write_tensors
from handgrad.writing import made_folder, umask, written

__all__ = [
    "FORMAT",
    "load_model",
    "made_folder",
    "read_tensors",
    "save_model",
    "umask",
    "write_prepared",
    "write_tensors",
    "written",
]
