"""A missing, broken or too old MKL is named, and NumPy takes over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kuberian.model.engines.choose import has_mkl_wheels
from kuberian.model.native import mkl

pytestmark = pytest.mark.skipif(not has_mkl_wheels(), reason="MKL does not exist for this platform")

OLD_MKL = """
#include <string.h>
struct version { int major, minor, update; const char *status, *build, *processor, *platform; };
void MKL_Get_Version(struct version *v) { memset(v, 0, sizeof *v); v->major = %d; v->update = %d; }
void cblas_sgemm(void) {}
"""
ENCODE = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from kuberian import Encoder
    encoder = Encoder(); Encoder()
    assert encoder.encode(["a"]).shape == (1, 384)
print(encoder.engine, *(str(w.message) for w in caught), sep="|")
"""


def engine_and_warnings(library: Path) -> list[str]:
    """Use an Encoder in a new process with KUBERIAN_MKL set: the engine, then every warning."""
    # Without oneDNN, which would be taken first
    environment = {"KUBERIAN_MKL": str(library), "KUBERIAN_ONEDNN": "/nowhere", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", ENCODE], env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("|")


def compile_library(source: str, path: Path) -> Path:
    path.with_suffix(".c").write_text(source)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path, path.with_suffix(".c")], check=True)
    return path


def test_the_installed_mkl_is_found_and_named() -> None:
    library = mkl.load()
    assert tuple(map(int, library.version.split("."))) >= mkl.OLDEST


def test_kuberian_mkl_names_the_library(tmp_path: Path) -> None:
    engine, *warned = engine_and_warnings(Path(mkl.load().path))
    assert engine.startswith("MKL ")
    assert warned == []


@pytest.mark.parametrize("version", [(2020, 1), (2030, 0)])
def test_a_library_without_the_needed_functions_is_refused_by_name(tmp_path: Path, version: tuple[int, int]) -> None:
    library = compile_library(OLD_MKL % version, tmp_path / "libmkl_rt.so.1")
    engine, *warned = engine_and_warnings(library)
    assert engine.startswith("NumPy")
    assert len(warned) == 1
    assert str(library) in warned[0]
    assert "{}.{}".format(*version) in warned[0]
    assert "lacks cblas_sgemm_batch" in warned[0]
    assert "cblas_sgemm," not in warned[0]


@pytest.mark.parametrize("content", ["not a library", None])
def test_a_library_that_cannot_be_loaded_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    library = tmp_path / "libmkl_rt.so.2"
    if content is not None:
        library.write_text(content)
    engine, *warned = engine_and_warnings(library)
    assert engine.startswith("NumPy")
    assert len(warned) == 1
    assert str(library) in warned[0]


def test_a_library_that_is_no_mkl_is_refused(tmp_path: Path) -> None:
    library = compile_library("void something_else(void) {}", tmp_path / "libother.so")
    engine, *warned = engine_and_warnings(library)
    assert engine.startswith("NumPy")
    assert "is no MKL" in warned[0]
