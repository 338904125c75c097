"""A mark for tests of the table `[tool.pytest]`, which older releases of pytest don't read."""

import pytest

native = pytest.mark.skipif(pytest.version_tuple < (9,), reason="[tool.pytest] came with pytest 9")
