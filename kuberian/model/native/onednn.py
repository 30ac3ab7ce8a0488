"""oneDNN through ctypes: find the library, check it, describe memory, make primitives and run them.

A primitive is a kernel that oneDNN generates for given shapes and types. What happens to its result (GELU, a sum, a
rounding to bytes) is fused into it. The constants are those of oneDNN's C API, version 3
(https://oneapi-src.github.io/oneDNN/v3.2/group_dnnl_api.html). Every primitive runs on the calling thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from ctypes import c_char_p, c_float, c_int, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kuberian.errors import EngineError
from kuberian.model.native.buffers import aligned
from kuberian.model.native.library import Once, first_usable
from kuberian.settings import expanded

# The values of dnnl_data_type_t, and the NumPy type that holds each.
BF16, F32, S8, U8 = 2, 3, 5, 6
NUMPY_TYPES: dict[int, type] = {BF16: np.uint16, F32: np.float32, S8: np.int8, U8: np.uint8}
# The values of dnnl_alg_kind_t.
RELU, TANH_GELU, ERF_GELU, EXP, LINEAR, MULTIPLY = 32, 43, 49, 42, 38, 131057
# The values of dnnl_cpu_isa_t are bit sets: a CPU has an ISA if it has all its bits.
ISA_AVX512_VNNI, ISA_AVX512_BF16 = 0x6F, 0xEF
# The numbers of the arguments of primitives.
SRC, DST, WEIGHTS, BIAS, SCALE, SHIFT, SCALES = 1, 17, 33, 41, 51, 52, 4096
SRC_1, SCRATCHPAD = 2, 80
# Further values: a propagation kind, normalization flags, a format tag, queries, and a scratchpad mode.
_FORWARD_INFERENCE, _USE_SCALE_AND_SHIFT, _FORMAT_ANY = 96, 2 | 4, 1
_QUERY_IMPLEMENTATION, _QUERY_WEIGHTS, _QUERY_SCRATCHPAD = 8, 131, 136
_USER_SCRATCHPAD = 1


def post_op_argument(index: int) -> int:
    """Return the number of the argument that is the second operand of the index-th fused operation."""
    return 32768 * (index + 1) | SRC_1


class _Version(ctypes.Structure):
    _fields_ = [("major", c_int), ("minor", c_int), ("patch", c_int), ("hash", c_char_p), ("runtime", c_uint32 * 2)]


class _Argument(ctypes.Structure):
    _fields_ = [("index", c_int), ("memory", c_void_p)]


_P = c_void_p
_SYMBOLS: dict[str, list] = {
    "dnnl_engine_create": [_P, c_int, c_size_t],
    "dnnl_stream_create": [_P, _P, c_uint32],
    "dnnl_memory_desc_create_with_tag": [_P, c_int, _P, c_int, c_int],
    "dnnl_memory_desc_create_with_strides": [_P, c_int, _P, c_int, _P],
    "dnnl_memory_create": [_P, _P, _P, _P],
    "dnnl_primitive_attr_create": [_P],
    "dnnl_primitive_attr_set_post_ops": [_P, _P],
    "dnnl_primitive_attr_set_scratchpad_mode": [_P, c_int],
    "dnnl_primitive_attr_set_scales_mask": [_P, c_int, c_int],
    "dnnl_post_ops_create": [_P],
    "dnnl_post_ops_destroy": [_P],
    "dnnl_post_ops_append_eltwise": [_P, c_int, c_float, c_float],
    "dnnl_post_ops_append_binary": [_P, c_int, _P],
    "dnnl_post_ops_append_sum": [_P, c_float, c_int, c_int],
    "dnnl_matmul_primitive_desc_create": [_P] * 7,
    "dnnl_reorder_primitive_desc_create": [_P] * 6,
    "dnnl_binary_primitive_desc_create": [_P, _P, c_int, _P, _P, _P, _P],
    "dnnl_layer_normalization_forward_primitive_desc_create": [_P, _P, c_int, _P, _P, _P, c_float, c_uint32, _P],
    "dnnl_primitive_desc_query": [_P, c_int, c_int, _P],
    "dnnl_primitive_create": [_P, _P],
    "dnnl_primitive_desc_destroy": [_P],
    "dnnl_primitive_execute": [_P, _P, c_int, _P],
}


class OneDnn:
    """A checked library, with its CPU engine and a stream."""

    def __init__(self, path: str) -> None:
        """Load and check the library at `path`; raises EngineError that says what is wrong with it."""
        try:
            self._lib = ctypes.CDLL(path)
        except OSError as error:
            raise EngineError(f"{path} cannot be loaded: {error}") from error
        self.path = path
        lacking = [name for name in ("dnnl_version", *_SYMBOLS) if not hasattr(self._lib, name)]
        if lacking:
            raise EngineError(
                f"{path} lacks {', '.join(lacking[:3])}; install oneDNN 3 (pip install 'kuberian[onednn]')"
            )
        version = self._version()
        self.version = f"{version.major}.{version.minor}.{version.patch}"
        if version.major != 3:
            raise EngineError(
                f"{path} is oneDNN {self.version}; Kuberian needs version 3 (pip install 'kuberian[onednn]')"
            )
        for name, argtypes in _SYMBOLS.items():
            getattr(self._lib, name).argtypes = argtypes
        self._lib.dnnl_primitive_desc_query_md.argtypes = [_P, c_int, c_int]
        self._lib.dnnl_primitive_desc_query_md.restype = c_void_p
        self._lib.dnnl_memory_desc_get_size.argtypes = [_P]
        self._lib.dnnl_memory_desc_get_size.restype = c_size_t
        self.isa = int(self._lib.dnnl_get_effective_cpu_isa())
        self._set_threads: Callable[[int], None] | None = None
        with suppress(OSError):  # without libgomp, oneDNN has another OpenMP, which OMP_NUM_THREADS governs
            self._set_threads = ctypes.CDLL("libgomp.so.1").omp_set_num_threads
        self.engine, self._stream = c_void_p(), c_void_p()
        self.single_threaded()
        self.check(self._lib.dnnl_engine_create(ctypes.byref(self.engine), 1, 0))
        self.check(self._lib.dnnl_stream_create(ctypes.byref(self._stream), self.engine, 1))
        self.execute = self._lib.dnnl_primitive_execute
        self.stream = self._stream.value

    def _version(self) -> _Version:
        self._lib.dnnl_version.restype = ctypes.POINTER(_Version)
        return self._lib.dnnl_version().contents

    def single_threaded(self) -> None:
        """Keep oneDNN's OpenMP on one thread for calls from this thread; each thread has its own setting."""
        if self._set_threads:
            self._set_threads(1)

    def check(self, status: int) -> None:
        """Raise EngineError unless this dnnl_status_t is success."""
        if status:
            raise EngineError(f"oneDNN {self.version} refused an operation (status {status})")

    def has(self, isa: int) -> bool:
        """Tell whether the CPU, as far as oneDNN may use it (DNNL_MAX_CPU_ISA), has all of an ISA."""
        return self.isa & isa == isa

    # Memory

    def descriptor(self, shape: Sequence[int], type_: int, strides: Sequence[int] | None = None) -> c_void_p:
        """Describe an array: contiguous along the last axis, unless `strides` (in elements) say otherwise."""
        if strides is None:
            strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
        md, dims, steps = c_void_p(), (c_int64 * 12)(*shape), (c_int64 * 12)(*strides)
        self.check(self._lib.dnnl_memory_desc_create_with_strides(ctypes.byref(md), len(shape), dims, type_, steps))
        return md

    def any_layout(self, shape: Sequence[int], type_: int) -> c_void_p:
        """Describe an array whose layout the primitive may choose."""
        md, dims = c_void_p(), (c_int64 * 12)(*shape)
        self.check(self._lib.dnnl_memory_desc_create_with_tag(ctypes.byref(md), len(shape), dims, type_, _FORMAT_ANY))
        return md

    def memory(self, array: NDArray, md: c_void_p, offset: int = 0) -> Memory:
        """Make a memory object on an array, from its `offset`-th byte."""
        handle = c_void_p()
        self.check(self._lib.dnnl_memory_create(ctypes.byref(handle), md, self.engine, array.ctypes.data + offset))
        return Memory(handle, md, array)

    def array(self, array: NDArray, type_: int) -> Memory:
        """Make a memory object on a contiguous array."""
        return self.memory(array, self.descriptor(array.shape, type_))

    # Primitives

    def attributes(self, *post_ops: PostOp, scaled: Sequence[tuple[int, int]] = ()) -> c_void_p:
        """Make attributes that fuse operations behind a primitive, and let it take its working memory from the caller.

        `scaled`: (argument, mask) of each run-time scale; mask 0 is one number for all.
        The caller gives the memory (`Primitive.scratchpad_bytes`), since oneDNN's own would be one for each primitive.
        """
        attributes, chain = c_void_p(), c_void_p()
        self.check(self._lib.dnnl_primitive_attr_create(ctypes.byref(attributes)))
        self.check(self._lib.dnnl_primitive_attr_set_scratchpad_mode(attributes, _USER_SCRATCHPAD))
        self.check(self._lib.dnnl_post_ops_create(ctypes.byref(chain)))
        for op in post_ops:
            if op.kind == "sum":
                self.check(self._lib.dnnl_post_ops_append_sum(chain, 1.0, 0, 0))
            elif op.kind == "multiply":
                self.check(self._lib.dnnl_post_ops_append_binary(chain, MULTIPLY, op.operand))
            else:
                self.check(self._lib.dnnl_post_ops_append_eltwise(chain, op.algorithm, op.alpha, op.beta))
        for argument, mask in scaled:
            self.check(self._lib.dnnl_primitive_attr_set_scales_mask(attributes, argument, mask))
        self.check(self._lib.dnnl_primitive_attr_set_post_ops(attributes, chain))
        self._lib.dnnl_post_ops_destroy(chain)
        return attributes

    def matmul(self, src: c_void_p, weights: c_void_p, dst: c_void_p, bias: c_void_p | None = None,
               attributes: c_void_p | None = None) -> Primitive:  # fmt: skip
        """Make a kernel for dst = src @ weights + bias."""
        pd = c_void_p()
        create = self._lib.dnnl_matmul_primitive_desc_create
        self.check(create(ctypes.byref(pd), self.engine, src, weights, bias, dst, attributes))
        return Primitive(self, pd)

    def layer_norm(self, src: c_void_p, dst: c_void_p, epsilon: float, attributes: c_void_p) -> Primitive:
        """Make a kernel for dst = layer norm of src's rows, with scale and shift."""
        pd = c_void_p()
        create = self._lib.dnnl_layer_normalization_forward_primitive_desc_create
        self.check(
            create(
                ctypes.byref(pd),
                self.engine,
                _FORWARD_INFERENCE,
                src,
                dst,
                None,
                epsilon,
                _USE_SCALE_AND_SHIFT,
                attributes,
            )
        )
        return Primitive(self, pd)

    def multiply(self, a: c_void_p, b: c_void_p, dst: c_void_p, attributes: c_void_p) -> Primitive:
        """Make a kernel for dst = a * b; b may have axes of length 1."""
        pd = c_void_p()
        create = self._lib.dnnl_binary_primitive_desc_create
        self.check(create(ctypes.byref(pd), self.engine, MULTIPLY, a, b, dst, attributes))
        return Primitive(self, pd)

    def reorder(self, src: c_void_p, dst: c_void_p, attributes: c_void_p | None = None) -> Primitive:
        """Make a kernel for dst = src, in another type or layout."""
        pd = c_void_p()
        create = self._lib.dnnl_reorder_primitive_desc_create
        self.check(create(ctypes.byref(pd), src, self.engine, dst, self.engine, attributes))
        return Primitive(self, pd)

    def packed(self, weights: NDArray, type_: int, wanted: c_void_p) -> Memory:
        """Copy weights [in, out] into the layout that a primitive wants."""
        source = self.array(weights, type_)
        target = self.memory(aligned((self._lib.dnnl_memory_desc_get_size(wanted),), np.uint8), wanted)
        call = self.reorder(source.md, wanted).bind({SRC: source, DST: target})
        self.check(self.execute(*call.arguments))
        return target


class Memory:
    """An array as oneDNN sees it."""

    def __init__(self, handle: c_void_p, md: c_void_p, array: NDArray) -> None:
        self.handle, self.md, self.array = handle, md, array  # the array must live as long as the handle


class PostOp:
    """An operation that is fused behind a primitive."""

    def __init__(self, kind: str, algorithm: int = 0, alpha: float = 0.0, beta: float = 0.0,
                 operand: c_void_p | None = None) -> None:  # fmt: skip
        self.kind, self.algorithm, self.alpha, self.beta, self.operand = kind, algorithm, alpha, beta, operand


class Call:
    """A primitive bound to its arguments: `execute(*call.arguments)` runs it."""

    def __init__(self, primitive: Primitive, memories: dict[int, Memory]) -> None:
        library = primitive.library
        self._arguments = (_Argument * len(memories))(*[_Argument(k, m.handle) for k, m in memories.items()])
        self._alive = (primitive, memories)
        self.arguments = (primitive.handle.value, library.stream, len(memories), ctypes.addressof(self._arguments))


class Primitive:
    """A generated kernel."""

    def __init__(self, library: OneDnn, pd: c_void_p) -> None:
        lib, self.library, self._pd, self.handle = library._lib, library, pd, c_void_p()
        library.check(lib.dnnl_primitive_create(ctypes.byref(self.handle), pd))
        name = c_char_p()
        library.check(lib.dnnl_primitive_desc_query(pd, _QUERY_IMPLEMENTATION, 0, ctypes.byref(name)))
        self.implementation = (name.value or b"").decode()
        self.scratchpad_descriptor = c_void_p(lib.dnnl_primitive_desc_query_md(pd, _QUERY_SCRATCHPAD, 0))
        self.scratchpad_bytes: int = lib.dnnl_memory_desc_get_size(self.scratchpad_descriptor)

    def weights_descriptor(self) -> c_void_p:
        """Return the descriptor of the layout that the weights must have."""
        return c_void_p(self.library._lib.dnnl_primitive_desc_query_md(self._pd, _QUERY_WEIGHTS, 0))

    def bind(self, memories: dict[int, Memory]) -> Call:
        """Fix the arguments."""
        return Call(self, memories)


def load() -> OneDnn:
    """Find oneDNN, check it, and keep it for the life of the process.

    The places are, in order: KUBERIAN_ONEDNN (a file; nothing else is tried if it is set), the wheel
    `onednn-cpu-gomp`, the system's loader. Raises EngineError that names each refused library, and why it was refused.
    """
    return _once.get()


def _candidates() -> Iterator[str]:
    if chosen := os.environ.get("KUBERIAN_ONEDNN"):
        yield str(expanded(chosen).absolute())
        return
    installed = Path(sys.prefix, "lib", "libdnnl.so.3")
    if installed.is_file():
        yield str(installed)
    import importlib.metadata

    try:
        files = importlib.metadata.files("onednn-cpu-gomp") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    yield from (str(Path(str(f.locate())).resolve()) for f in files if f.name == "libdnnl.so.3")
    yield "libdnnl.so.3"


# One library per process: its primitive cache is global, too.
_once = Once(lambda: first_usable(OneDnn, _candidates(), "oneDNN is not installed (pip install 'kuberian[onednn]')"))
