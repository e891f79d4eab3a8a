# SPDX-License-Identifier: Apache-2.0
"""Builds the package against libkryos (docs/api/python.md):

KRYOS_PYTHON_LIBRARY=tree       the library of this tree, built static and put into the wheel: what is done in a tree
                     installed  the one that pkg-config finds, as a shared library
                     none       no compiler: the library is found by its soname when the package is imported
KRYOS_PYTHON_PREFIX             where the installed one is, if pkg-config does not know
KRYOS_PYTHON_CMAKE_ARGS         more for cmake, in a tree: -DKRYOS_DRIVERS=OFF
KRYOS_PYTHON_BUILD              where the tree's is built; build/libkryos
KRYOS_PYTHON_TESTING=1          with libkryos-testing, for kryos.testing
"""
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
sys.path.insert(0, str(HERE))
import build_ffi  # noqa: E402


def version():
    """The tree's, which has one home; without a tree that of the library whose headers are taken."""
    if (TREE / "CMakeLists.txt").exists():
        return re.search(r"project\(kryos VERSION ([0-9.]+)", (TREE / "CMakeLists.txt").read_text()).group(1)
    return build_ffi.flags("--modversion")[0]


def build_library():
    """Builds and installs the tree's library, static, into a folder of this build; pkg-config finds it there."""
    build = Path(os.environ.get("KRYOS_PYTHON_BUILD", HERE / "build" / "libkryos"))
    prefix = build / "prefix"
    fakes = "ON" if build_ffi.with_fakes() else "OFF"
    subprocess.run(["cmake", "-S", str(TREE), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF",
                    "-DBUILD_TESTING=OFF", "-DKRYOS_BUILD_DAEMON=OFF", "-DKRYOS_WITH_REPORT=OFF",
                    f"-DKRYOS_BUILD_TESTING_LIBRARY={fakes}", f"-DCMAKE_INSTALL_PREFIX={prefix}",
                    "-DCMAKE_INSTALL_LIBDIR=lib", *shlex.split(os.environ.get("KRYOS_PYTHON_CMAKE_ARGS", ""))],
                   check=True)
    subprocess.run(["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1)], check=True)
    subprocess.run(["cmake", "--install", str(build)], check=True)
    os.environ["KRYOS_PYTHON_PREFIX"] = str(prefix)


library = os.environ.setdefault("KRYOS_PYTHON_LIBRARY", "tree" if (TREE / "CMakeLists.txt").exists() else "installed")
if library not in ("tree", "installed", "none"):
    raise SystemExit(f"kryos: KRYOS_PYTHON_LIBRARY={library}: tree, installed and none are allowed")
building = any(command.startswith(("bdist", "build", "develop", "install")) for command in sys.argv)
if library == "tree" and building:
    build_library()

# What is only asked about builds nothing.
modules = {"none": ["build_ffi.py:abi"]}.get(library, ["build_ffi.py:api", "build_ffi.py:abi"]) if building else []
setup(
    version=version(),
    cffi_modules=modules,
    options={} if library == "none" else {"bdist_wheel": {"py_limited_api": "cp39"}},
)
