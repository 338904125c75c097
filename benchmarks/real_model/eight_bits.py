"""Store a GGUF file's quantised weights in 8 bits each; runs in the server's own environment.

    python eight_bits.py SOURCE TARGET

Weights of 4 to 6 bits are repeated with an error of at most 1/254 of the largest of each 32 (the
step of Q8_0). OpenVINO reads few of the mixed formats, and computes all of them in 8 bits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize, quantize

EIGHT = GGMLQuantizationType.Q8_0
AS_THEY_ARE = {EIGHT, GGMLQuantizationType.F32, GGMLQuantizationType.F16}
FILE_TYPE, MOSTLY_EIGHT = "general.file_type", 7


def convert(source: Path, target: Path) -> None:
    """Write the file anew; the target appears once it is whole."""
    reader = GGUFReader(source)
    incomplete = target.with_suffix(".incomplete")
    writer = GGUFWriter(incomplete, arch=reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name != "general.architecture" and not field.name.startswith("GGUF."):
            _copy(field, writer)
    for tensor in reader.tensors:
        data, kind = tensor.data, tensor.tensor_type
        if kind not in AS_THEY_ARE:
            data, kind = quantize(dequantize(data, kind), EIGHT), EIGHT
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    incomplete.replace(target)


def _copy(field: Any, writer: GGUFWriter) -> None:
    value = MOSTLY_EIGHT if field.name == FILE_TYPE else field.contents()
    kind, *_, inner = (*field.types, None) if len(field.types) == 1 else field.types
    writer.add_key_value(
        field.name, value, kind, sub_type=inner if kind is GGUFValueType.ARRAY else None
    )


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
