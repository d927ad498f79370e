"""Makes reference.safetensors beside this script with the safetensors package.

    pip install safetensors==0.8.0 numpy==2.4.6
    python make_reference.py
"""

import pathlib

import numpy as np
from safetensors import TensorSpec, serialize_file

TENSORS = {
    "scalar": ("float32", [], np.array(-1.5, "<f4")),
    "matrix": ("float32", [2, 3], np.arange(6, dtype="<f4") / 4),
    "halves": ("float16", [7], np.array([1, -2.5, 65504, 2**-24, -0.0, np.inf, 2**-14], "<f2")),
    "brain": ("bfloat16", [2, 2], np.array([0x3F80, 0xC020, 0x0001, 0x7F80], "<u2")),
    "weights": ("int8", [2, 1, 2], np.array([-128, -1, 0, 127], "i1")),
    "bytes": ("uint8", [3], np.array([0, 128, 255], "u1")),
    "flags": ("bool", [2], np.array([0, 1], "u1")),
    "long": ("int64", [1], np.array([-(2**62)], "<i8")),
    "empty": ("float32", [0, 4], np.array([], "<f4")),
    "ünïcode/名前": ("int32", [1], np.array([-7], "<i4")),
}
# One key only: the package writes several in random order.
METADATA = {"text": 'quotes " \\ and\nlines\t\u0001\b\f\r\u007f ünï 🙂'}

specs = {
    name: TensorSpec(dtype=dtype, shape=shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
    for name, (dtype, shape, array) in TENSORS.items()
}
serialize_file(specs, pathlib.Path(__file__).with_name("reference.safetensors"), METADATA)
