"""Link a small MKL: one shared library with the functions that Kuberian calls, from the archives of `mkl-static`.

    python scripts/link_mkl.py FOLDER [--replacing libopenblas….so --of libfaiss.so]

writes FOLDER/libkuberian_mkl.so: some 26 MB, where the wheel `mkl` and what it needs take 900. Kuberian looks for it in
<environment>/lib first. FOLDER holds libmkl_*.a: <environment>/lib after `pip install mkl-static`, or any other with
--archives. It needs gcc and, for --replacing, nm.

--replacing makes the library serve another program library too: it gets the BLAS and LAPACK functions that --of takes
from the named library, and takes that one's place. Several copies of BLAS are most of what numeric wheels weigh.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from kuberian.model.native.mkl import LINKED_LIBRARY, SYMBOLS

ARCHIVES = ("libmkl_intel_lp64.a", "libmkl_sequential.a", "libmkl_core.a")
LAYERS = Path(__file__).with_name("mkl_layers.c")


def link(folder: Path, archives: Path, also: list[str], soname: str) -> Path:
    """Link the library into a folder; nothing but the functions asked for is visible in it."""
    own = [name for name in SYMBOLS if not name.endswith("_Layer")] + ["MKL_Get_Version", *also]
    exported = [*own, "MKL_Set_Threading_Layer", "MKL_Set_Interface_Layer"]
    library = folder / LINKED_LIBRARY
    with tempfile.TemporaryDirectory() as temporary:
        version_script = Path(temporary, "exports")
        version_script.write_text(f"{{ global: {'; '.join(exported)}; local: *; }};\n")
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O2", "-s", "-o", library, LAYERS, f"-Wl,-soname,{soname}"]
            + [f"-Wl,--version-script={version_script}", "-Wl,--gc-sections", "-Wl,-z,noexecstack"]
            + [f"-Wl,-u,{name}" for name in own]
            + ["-Wl,--start-group", *(archives / name for name in ARCHIVES), "-Wl,--end-group"]
            + ["-lm", "-lpthread", "-ldl"],
            check=True,
        )
    return library


def fortran_functions(library: Path) -> list[str]:
    """Return the BLAS and LAPACK functions that a library takes from elsewhere: their names end in _."""
    done = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
    names = (line.split()[-1] for line in done.stdout.splitlines())
    return sorted(name for name in names if name.endswith("_") and name[0].isalpha() and name.islower())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archives", type=Path, default=Path(sys.prefix, "lib"))
    parser.add_argument("--replacing", type=Path)
    parser.add_argument("--of", type=Path)
    arguments = parser.parse_args()
    replaced, user = arguments.replacing, arguments.of
    if (replaced is None) != (user is None):
        parser.error("--replacing and --of go together")
    missing = [name for name in ARCHIVES if not (arguments.archives / name).is_file()]
    if missing:
        sys.exit(f"{arguments.archives} has no {', '.join(missing)}: pip install mkl-static")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    also = fortran_functions(user) if user else []
    library = link(arguments.folder, arguments.archives, also, replaced.name if replaced else LINKED_LIBRARY)
    if replaced:
        replaced.unlink()
        replaced.symlink_to(library.resolve())
    print(f"{library}: {library.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
