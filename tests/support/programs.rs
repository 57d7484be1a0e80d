//! Programs that nobody here wrote, or that are written over their libraries: built once into the
//! cache, at the versions that this repository pins.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::{made_once, run};
use super::places::repository;

const GO_MISSING: &str = "the tests need Go 1.26 on PATH";

/// The Go program of `tests/peers/<name>`, built.
pub(crate) fn go_program(name: &str) -> PathBuf {
    build_go(&peer(name), name, ".", "")
}

/// The Go program of `tests/peers/<module>/<package>`, built with `tags`.
pub(crate) fn go_package(module: &str, package: &str, tags: &str) -> PathBuf {
    build_go(&peer(module), &format!("{module}-{package}"), &format!("./{package}"), tags)
}

/// A real Prometheus server, without the service discoveries of clouds: they are most of its build.
pub(super) fn prometheus_server() -> PathBuf {
    let package = "github.com/prometheus/prometheus/cmd/prometheus";
    build_go(&peer("prometheus-server"), "prometheus-server", package, "remove_all_sd")
}

/// A published Node program: `bin` of the packages in `tests/peers/<module>/package-lock.json`.
pub(crate) fn node_program(module: &str, bin: &str) -> PathBuf {
    let source = peer(module);
    let inputs = [source.join("package.json"), source.join("package-lock.json")];
    let folder = made_once("node", module, &inputs, |folder| {
        for input in &inputs {
            let name = input.file_name().expect("a file name");
            std::fs::copy(input, folder.join(name)).expect("the package files are copied");
        }
        let npm = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
        run(Command::new("npm").args(npm).current_dir(folder), "the tests need Node and npm");
    });
    folder.join("node_modules/.bin").join(bin)
}

/// Python with the packages of `requirements` (a path in the checkout) in an environment of its own.
pub(crate) fn python(requirements: &str) -> PathBuf {
    let requirements = repository().join(requirements);
    let inputs = [requirements.clone()];
    let folder = made_once("python", "venv", &inputs, |folder| {
        let missing = "the tests need Python 3 with venv";
        run(Command::new("python3").args(["-m", "venv"]).arg(folder), missing);
        let install = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--requirement"];
        run(Command::new(folder.join("bin/python")).args(install).arg(&requirements), missing);
    });
    folder.join("bin/python")
}

/// The program `package` of the Go module at `source`, built with `tags`.
pub(super) fn build_go(source: &Path, name: &str, package: &str, tags: &str) -> PathBuf {
    let folder = made_once("go", name, &[source.to_path_buf()], |folder| {
        let mut go = Command::new("go");
        go.args(["build", "-tags", tags, "-o"]).arg(folder.join(name)).arg(package);
        run(go.current_dir(source), GO_MISSING);
    });
    folder.join(name)
}

fn peer(name: &str) -> PathBuf {
    repository().join("tests/peers").join(name)
}
