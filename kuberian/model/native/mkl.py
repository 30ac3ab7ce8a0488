"""Intel MKL through ctypes: find the library, check it, declare the few functions that a BERT needs.

The wheels of NumPy are built on OpenBLAS; the `mkl` wheel ships libmkl_rt, which ctypes can call. Every function
here runs on the calling thread only: the encoder makes the threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from ctypes import c_char_p, c_float, c_int, c_size_t, c_uint64, c_void_p
from pathlib import Path

from kuberian.errors import EngineError
from kuberian.model.native.library import Once, first_usable
from kuberian.settings import expanded

# scripts/link_mkl.py links this library from MKL's static archives; it has only what Kuberian needs.
LINKED_LIBRARY = "libkuberian_mkl.so"

# Nothing older than this is tested: 2021.1 is the first oneMKL.
OLDEST = (2021, 1)

# The values of CBLAS's enumerations, and of MKL's threading and interface layers.
_ROW_MAJOR, _NO_TRANS, _TRANS, _PACKED, _B_MATRIX = 101, 111, 112, 151, 162
_SEQUENTIAL, _LP64 = 1, 0
# VML_LA | VML_FTZDAZ_ON | VML_ERRMODE_IGNORE: vector math is within 1 ulp, and takes denormals as zero, because
# they are 5 to 60 times slower.
_VML_MODE = 0x00000001 | 0x00280000 | 0x00000100
# MKL asks for the rows of A when B is packed; all but tiny numbers of rows have the same layout.
_PACKED_FOR_ROWS = 256

_GEMM = [c_int] * 6 + [c_float, c_void_p, c_int, c_void_p, c_int, c_float, c_void_p, c_int]
_VML = [c_int, c_void_p, c_void_p, c_uint64]
SYMBOLS: dict[str, tuple[list, type | None]] = {
    "cblas_sgemm": (_GEMM, None),
    "cblas_sgemm_batch": ([c_int] + [c_void_p] * 13 + [c_int, c_void_p], None),
    "cblas_sgemm_pack_get_size": ([c_int] * 4, c_size_t),
    "cblas_sgemm_pack": ([c_int] * 6 + [c_float, c_void_p, c_int, c_void_p], None),
    "cblas_sgemm_compute": ([c_int] * 6 + [c_void_p, c_int, c_void_p, c_int, c_float, c_void_p, c_int], None),
    "vmsExp": (_VML, None),
    "vmsCdfNorm": (_VML, None),
    "vmsTanh": (_VML, None),
    "MKL_Set_Threading_Layer": ([c_int], c_int),
    "MKL_Set_Interface_Layer": ([c_int], c_int),
    "MKL_Set_Num_Threads_Local": ([c_int], c_int),
}


class _Version(ctypes.Structure):
    _fields_ = [("major", c_int), ("minor", c_int), ("update", c_int)] + [
        (name, c_char_p) for name in ("status", "build", "processor", "platform")
    ]


class Mkl:
    """A checked library. Arrays are given by address; they must be float32, and contiguous along the last axis."""

    def __init__(self, path: str) -> None:
        """Load and check the library at `path`; raises EngineError that says what is wrong with it."""
        try:
            self._lib = ctypes.CDLL(path)
        except OSError as error:
            raise EngineError(f"{path} cannot be loaded: {error}") from error
        self.path = path
        self.version = self._check_version()
        lacking = [name for name in SYMBOLS if not hasattr(self._lib, name)]
        if lacking:
            raise EngineError(f"{path} (MKL {self.version}) lacks {', '.join(lacking)}; install a newer MKL")
        for name, (argtypes, restype) in SYMBOLS.items():
            function = getattr(self._lib, name)
            function.argtypes, function.restype = argtypes, restype
        # Both settings count only before the first computation. Another library of this process may have chosen before.
        self._lib.MKL_Set_Threading_Layer(_SEQUENTIAL)
        if self._lib.MKL_Set_Interface_Layer(_LP64) & 1 != _LP64:
            raise EngineError(f"{path} is in use with 64-bit integers by another library of this process")
        self._sgemm_compute = self._lib.cblas_sgemm_compute
        self._sgemm, self._sgemm_batch = self._lib.cblas_sgemm, self._lib.cblas_sgemm_batch
        self._exp, self._cdf_norm, self._tanh = self._lib.vmsExp, self._lib.vmsCdfNorm, self._lib.vmsTanh

    def _check_version(self) -> str:
        try:
            get_version = self._lib.MKL_Get_Version
        except AttributeError as error:
            raise EngineError(f"{self.path} is no MKL: it lacks MKL_Get_Version") from error
        get_version.argtypes, get_version.restype = [c_void_p], None
        version = _Version()
        get_version(ctypes.addressof(version))
        text = f"{version.major}.{version.update}"  # 2026.2 is major 2026, minor 0, update 2
        if (version.major, version.update) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            lacking = [name for name in SYMBOLS if not hasattr(self._lib, name)]
            without = f" and lacks {', '.join(lacking)}" if lacking else ""
            raise EngineError(f"{self.path} is MKL {text}, older than {oldest}{without}; install a newer MKL")
        return text

    def single_threaded(self) -> None:
        """Keep MKL on one thread for calls from this thread, even if another library has made it parallel."""
        self._lib.MKL_Set_Num_Threads_Local(1)

    def sgemm(self, m: int, n: int, k: int, a: int, lda: int, b: int, ldb: int, beta: float, c: int, ldc: int) -> None:
        """Compute C[m, n] = A[m, k] @ B[n, k].T + beta * C; a, b, c are addresses, rows lie ld* floats apart."""
        self._sgemm(_ROW_MAJOR, _NO_TRANS, _TRANS, m, n, k, 1.0, a, lda, b, ldb, beta, c, ldc)

    def pack_size(self, n: int, k: int) -> int:
        """Return how many bytes `pack` writes for a B[n, k]."""
        return self._lib.cblas_sgemm_pack_get_size(_B_MATRIX, _PACKED_FOR_ROWS, n, k)

    def pack(self, n: int, k: int, b: int, packed: int) -> None:
        """Write B[n, k] to `packed` in MKL's own layout; both are addresses."""
        self._lib.cblas_sgemm_pack(_ROW_MAJOR, _B_MATRIX, _TRANS, _PACKED_FOR_ROWS, n, k, 1.0, b, k, packed)

    def sgemm_packed(
        self, m: int, n: int, k: int, a: int, lda: int, packed: int, beta: float, c: int, ldc: int
    ) -> None:
        """Compute what `sgemm` does, with a packed B."""
        self._sgemm_compute(_ROW_MAJOR, _NO_TRANS, _PACKED, m, n, k, a, lda, packed, n, beta, c, ldc)

    def exp(self, n: int, x: int) -> None:
        """Compute x = exp(x), of n floats by address."""
        self._exp(n, x, x, _VML_MODE)

    def cdf_norm(self, n: int, x: int, y: int) -> None:
        """Compute y = Φ(x), of n floats: the normal distribution's cumulative function; GELU(x) = x * Φ(x)."""
        self._cdf_norm(n, x, y, _VML_MODE)

    def tanh(self, n: int, x: int, y: int) -> None:
        """Compute y = tanh(x), of n floats."""
        self._tanh(n, x, y, _VML_MODE)


class BatchedProducts:
    """Many small products in one call of `cblas_sgemm_batch`, prepared once. A group's matrices have one shape."""

    def __init__(self, mkl: Mkl, transpose_b: bool) -> None:
        self._mkl, self._transpose_b = mkl, transpose_b
        self._groups: list[tuple[int, ...]] = []
        self._pointers: tuple[list[int], list[int], list[int]] = ([], [], [])

    def add_group(
        self, shape: tuple[int, int, int], lds: tuple[int, int, int], triples: list[tuple[int, int, int]]
    ) -> None:
        """Add products C[m, n] = A[m, k] @ B[k, n], or B[n, k].T if transposed.

        `shape` is (m, n, k), `lds` the floats from row to row of A, B and C, a triple the addresses of A, B and C.
        """
        self._groups.append((*shape, *lds, len(triples)))
        for pointers, column in zip(self._pointers, zip(*triples, strict=True), strict=True):
            pointers.extend(column)

    def finish(self) -> None:
        """Freeze the groups into C arrays."""
        count = len(self._groups)

        def ints(values: list[int]) -> ctypes.Array:
            return (c_int * count)(*values)

        m, n, k, lda, ldb, ldc, sizes = (ints(list(column)) for column in zip(*self._groups, strict=True))
        a, b, c = ((c_void_p * len(p))(*p) for p in self._pointers)
        no_trans, trans_b = ints([_NO_TRANS] * count), ints([_TRANS if self._transpose_b else _NO_TRANS] * count)
        one, zero = (c_float * count)(*[1.0] * count), (c_float * count)()
        self._arrays = (no_trans, trans_b, m, n, k, one, a, lda, b, ldb, zero, c, ldc, sizes)
        addresses = [ctypes.addressof(array) for array in self._arrays]
        self._call = (_ROW_MAJOR, *addresses[:13], count, addresses[13])

    def run(self) -> None:
        """Compute all products."""
        self._mkl._sgemm_batch(*self._call)


def load() -> Mkl:
    """Find MKL, check it, and keep it for the life of the process.

    The places are, in order: KUBERIAN_MKL (a file; nothing else is tried if it is set), `libkuberian_mkl.so` in the
    environment's lib (scripts/link_mkl.py), the `mkl` wheel, the system's loader, /opt/intel/oneapi.
    Raises EngineError that names each refused library, and why it was refused.
    """
    return _once.get()


def _candidates() -> Iterator[str]:
    if chosen := os.environ.get("KUBERIAN_MKL"):
        yield str(expanded(chosen).absolute())
        return
    if sys.platform == "win32":
        folders, pattern, loader_names = (
            [Path(sys.prefix, "Library", "bin")],
            "mkl_rt.*.dll",
            ["mkl_rt.3.dll", "mkl_rt.2.dll"],
        )
    else:
        folders, pattern = [Path(sys.prefix, "lib")], "libmkl_rt.so*"
        loader_names = ["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"]
    linked = Path(sys.prefix, "lib", LINKED_LIBRARY)
    if linked.is_file():
        yield str(linked)
    seen = set()
    for folder in folders:
        for path in sorted(folder.glob(pattern), reverse=True):
            seen.add(path)
            yield str(path)
    for path in _wheel_files():
        if path not in seen:
            yield str(path)
    yield from loader_names
    for path in sorted(Path("/opt/intel/oneapi/mkl").glob("*/lib/**/libmkl_rt.so*"), reverse=True):
        yield str(path)


def _wheel_files() -> list[Path]:
    """Return where pip put libmkl_rt, e.g. in a user install; asked late, because it imports for some 20 ms."""
    import importlib.metadata

    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(f.locate())).resolve() for f in files if f.name.startswith(("libmkl_rt.", "mkl_rt."))]


# One library per process: its settings are global, too.
_once = Once(lambda: first_usable(Mkl, _candidates(), "no MKL is installed (pip install mkl)"))
