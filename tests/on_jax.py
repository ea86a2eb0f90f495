"""Code in a process of its own, on the JAX backend."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import WITHOUT_EXTRAS

ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    # So few steps take less time than the compiler's passes.
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
}
WITHOUT_TENSORFLOW = "sys.modules['tensorflow'] = None\n"


def run_on_jax(code: str, *arguments) -> str:
    """What `code` prints in a new interpreter without TensorFlow, at the repository's root; it must succeed."""
    pytest.importorskip("jax")
    result = subprocess.run([sys.executable, "-c", WITHOUT_EXTRAS + WITHOUT_TENSORFLOW + code, *map(str, arguments)],
                            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
                            env={**os.environ, **ENVIRONMENT})
    assert result.returncode == 0, result.stderr
    return result.stdout
