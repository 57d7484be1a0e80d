"""What a run needs: programs and data, made once a machine in the cache."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CACHE = Path(os.environ.get("STOA_CACHE", Path.home() / ".cache/stoa"))
SHARED = Path(os.environ.get("STOA_SHARED", REPOSITORY.parent / "shared"))
BENCH = CACHE / "bench"

PROMETHEUS = "3.16.0"
# The first sample of every set, unix seconds.
START = 1790899200
# The set of native histograms, of a generator of its own.
NATIVE = "N"
# A set's arguments for the generator, and its hours.
SETS = {
    "S": (["-seed", "1", "-series", "1000", "-hours", "2", "-replicas", "1"], 2),
    "M": (["-seed", "1", "-series", "50000", "-hours", "2", "-replicas", "2"], 2),
    "L": (["-seed", "1", "-series", "10000", "-hours", "24", "-replicas", "2"], 24),
    NATIVE: (["-series", "500"], 2),
}


def run(*argv, **kwargs):
    """Runs a command to its end; what it says is no part of the report."""
    subprocess.run([str(a) for a in argv], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, **kwargs)


def shared_module(name):
    """A Python file of the shared benchmark, as a module."""
    path = SHARED / "bench" / f"{name}.py"
    if not path.exists():
        raise SystemExit(f"{path} is missing: put the shared data beside the checkout or name its folder in STOA_SHARED")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def go_build(module, package, name, ldflags="", tags=""):
    """The program of a Go module, built; Go does nothing if it is up to date."""
    if shutil.which("go") is None:
        raise SystemExit("the benchmark needs Go 1.26 on PATH")
    program = CACHE / "bin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    run("go", "build", "-ldflags", ldflags, "-tags", tags, "-o", program, package, cwd=module)
    return program


def prometheus():
    version = f"-X github.com/prometheus/common/version.Version={PROMETHEUS}"
    package = "github.com/prometheus/prometheus/cmd/prometheus"
    return go_build(HERE / "programs", package, f"prometheus-{PROMETHEUS}", version)


def stoa():
    """The binary of this checkout, as released but for link-time optimisation."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", CACHE / "target"))
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    run("cargo", "build", "--release", "--locked", "--package", "stoa", cwd=REPOSITORY, env=environment)
    return target / "release/stoa"


def data_set(name):
    """The folder of a set's blocks, generated if it is not there."""
    folder = BENCH / name
    if not folder.exists():
        if name == NATIVE:
            generator = go_build(HERE / "programs", "./histograms", "histograms")
        else:
            generator = go_build(SHARED / "bench/gen", ".", "gen")
        half = BENCH / f"{name}.half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        run(generator, *SETS[name][0], "-out", half)
        half.rename(folder)
    return folder


def blocks(folder):
    """The blocks in a folder: their paths and what meta.json says."""
    found = []
    for meta in sorted(folder.glob("*/meta.json")):
        found.append((meta.parent, json.loads(meta.read_text())))
    return found


def only_replica(folder, replica, copy, below=""):
    """A copy, of hard links, of the blocks of one replica."""
    shutil.rmtree(copy, ignore_errors=True)
    (copy / below).mkdir(parents=True)
    for path, meta in blocks(folder / below):
        if meta["thanos"]["labels"].get("replica") == replica:
            shutil.copytree(path, copy / below / path.name, copy_function=os.link)
    return copy


def size(folder):
    """Bytes of each kind of file below a folder."""
    sizes = {}
    for path in folder.rglob("*"):
        if path.is_file():
            kind = "chunks" if path.parent.name == "chunks" else path.name
            sizes[kind] = sizes.get(kind, 0) + path.stat().st_size
    return sizes
