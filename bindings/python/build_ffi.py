# SPDX-License-Identifier: Apache-2.0
"""What Python may call, taken from the public headers themselves: nothing of them is written down a second time.

Two builders for cffi: `api`, a compiled extension, whose compiler checks each layout; and `abi`, the same declarations
for a system without a compiler, where libkryos is found by its soname.
"""
import os
import re
import subprocess
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
# Present in every build of the library: which of its drivers and libraries are switched off changes none of them.
MODULES = ["base", "log", "sample", "ctx", "clock", "sensor", "store", "queue", "reader", "bundle", "sampler", "alarm",
           "exposure", "history", "evaluate"]
FAKES = ["testing/clock", "testing/bus"]


def flags(what):
    """What pkg-config says of the library, and with KRYOS_PYTHON_TESTING=1 of its fakes."""
    package = "kryos-testing" if with_fakes() else "kryos"
    prefix = os.environ.get("KRYOS_PYTHON_PREFIX")
    own = ["--define-prefix"] if prefix else []
    paths = dict(os.environ)
    if prefix:
        paths["PKG_CONFIG_PATH"] = os.pathsep.join([f"{prefix}/lib/pkgconfig", paths.get("PKG_CONFIG_PATH", "")])
    try:
        out = subprocess.run(["pkg-config", *own, what, package], check=True, capture_output=True, text=True, env=paths)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        raise SystemExit(f"kryos: pkg-config does not find {package}: {said}") from None
    return out.stdout.split()


def with_fakes():
    return os.environ.get("KRYOS_PYTHON_TESTING") == "1"


def include_folder():
    """Where the headers are: the tree's, or those that are installed."""
    tree = HERE.parent.parent / "include"
    if (tree / "kryos" / "base.h").exists() and os.environ.get("KRYOS_PYTHON_LIBRARY") != "installed":
        return tree
    for flag in flags("--cflags-only-I"):
        if (Path(flag[2:]) / "kryos" / "base.h").exists():
            return Path(flag[2:])
    return Path("/usr/include")


def declarations(folder, names, seen=None):
    """The declarations of the headers and of those that they include, each once, as cffi takes them."""
    seen = set() if seen is None else seen
    parts = []
    for name in names:
        if name in seen:
            continue
        seen.add(name)
        text = re.sub(r"/\*.*?\*/", " ", (folder / "kryos" / f"{name}.h").read_text(encoding="ascii"), flags=re.S)
        parts += declarations(folder, re.findall(r"^#include <kryos/([a-z/]+)\.h>", text, flags=re.M), seen)
        text = re.sub(r"\\\n", " ", text)
        kept = [line for line in text.splitlines()
                if not re.match(r"\s*#", line) or re.match(r"#define KRYOS_\w+ \d+\s*$", line)]
        kept = [line for line in kept if line.strip() not in ("KRYOS_BEGIN", "KRYOS_END")]
        text = "\n".join(kept)
        text = re.sub(r"\bKRYOS_(API|EXPORT)\b", "", text)
        parts.append(re.sub(r"\bKRYOS_PRINTF\([^)]*\)", "", text))
    return parts


def cdef():
    folder = include_folder()
    return "\n".join(declarations(folder, MODULES + (FAKES if with_fakes() else [])))


def api():
    ffi = FFI()
    ffi.cdef(cdef())
    includes = [f"#include <kryos/{name}.h>" for name in MODULES + (FAKES if with_fakes() else [])]
    libraries = flags("--libs")
    ffi.set_source("kryos._ffi", "\n".join(includes),
                   extra_compile_args=["-std=c11", *flags("--cflags")],
                   extra_link_args=libraries)
    return ffi


def abi():
    ffi = FFI()
    ffi.cdef(cdef())
    ffi.set_source("kryos._abi", None)
    return ffi
