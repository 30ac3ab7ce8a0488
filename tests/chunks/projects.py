"""Real projects in several languages, pinned by hash, fetched once into the checkout's cache by pip and npm."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests import sdists
from tests.sdists import Sdist


@dataclass(frozen=True)
class NpmPackage:
    """A pinned package of the npm registry. `sha256` is the hash of its .tgz."""

    name: str
    version: str
    sha256: str


CLICK = Sdist("click", "8.1.8", "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a")
REQUESTS = Sdist("requests", "2.32.3", "55365417734eb18255590a9ff9eb97e9e1da868d4ccd6402399eaf68af20a760")
JINJA2 = Sdist("jinja2", "3.1.5", "8fefff8dc3034e27bb80d67c671eb8a9bc424c0ef4c0826edbff304cceff43bb")
WERKZEUG = Sdist("werkzeug", "3.1.3", "60723ce945c19328679790e3282cc758aa4a6040e4bb330f53d30fa546d44746")
UJSON = Sdist("ujson", "5.10.0", "b3cd8f3c5d8c7738257f1018880444f7b7d9b66232c64649f562d7ba86ad4bc1")  # C, C++
PYBIND11 = Sdist("pybind11", "2.13.6", "ba6af10348c12b24e92fa086b39cfba0eff619b61ac77c406167d813b096d39a")  # C++
REGEX = Sdist("regex", "2024.11.6", "7ab159b063c52a0333c884e4679f8d7a85112ee3078fe3d9004b2dd875585519")  # C
SETUPTOOLS_RUST = Sdist("setuptools-rust", "1.10.2", "5d73e7eee5f87a6417285b617c97088a7c20d1a70fcea60e3bdc94ff567c29dc")
EXPRESS = NpmPackage("express", "4.21.2", "fc43a91e7dc7affb53c6ad7123a4f35485ed3c45226ae7a3847b7738e783e008")
RXJS = NpmPackage("rxjs", "7.8.1", "c532167725ab7d085123209156c93cef22f2479cb9c8527060f1cd903aa9d149")  # TypeScript
SVG = NpmPackage(  # Java, Objective-C, C++, TSX
    "react-native-svg", "15.11.1", "b1b87c0c56d024cdabb9d634d534df3573c6169c5ceeac8949506407d7883c48"
)
ZOD = NpmPackage("zod", "3.24.1", "bce658d4d39b30b619970938bf7ff1b0554d3d2124194b6dbd0e10086dd56417")
TYPESCRIPT = NpmPackage("typescript", "5.7.3", "80cfca1254bab8e81d639178e42d6406d856fba6e34cad60d1ab50ee6e5f7ebb")

PYTHON_PROJECTS = (sdists.FLASK, CLICK, REQUESTS, JINJA2, WERKZEUG)
PROJECTS = (*PYTHON_PROJECTS, UJSON, PYBIND11, REGEX, SETUPTOOLS_RUST, EXPRESS, RXJS, SVG, ZOD)


def unpacked(project: Sdist | NpmPackage) -> Path:
    """Return the folder of the unpacked project, fetched if it is not there yet; skip the test where npm is missing."""
    if isinstance(project, Sdist):
        return sdists.unpacked(project)
    folder = sdists.CACHE.parent / "npm" / f"{project.name}-{project.version}"
    npm = shutil.which("npm")
    if not folder.exists() and npm is None:
        pytest.skip("npm is not installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            download = folder.with_suffix(".download")
            shutil.rmtree(download, ignore_errors=True)
            download.mkdir()
            pack = [str(npm), "pack", "--silent", f"{project.name}@{project.version}"]
            subprocess.run(pack, cwd=download, check=True, capture_output=True)
            (archive,) = download.glob("*.tgz")
            assert hashlib.sha256(archive.read_bytes()).hexdigest() == project.sha256
            with tarfile.open(archive) as tar:
                tar.extractall(download, filter="data")
            (download / "package").rename(folder)
            shutil.rmtree(download)
    return folder
