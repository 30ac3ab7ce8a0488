"""Run the image as a container engine would, where there is none: bubblewrap and the image's own settings.

As `docker run --read-only --network none --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp` does: the
image's files read-only, namespaces of its own for processes, network and the rest, the image's user without any
capability, its entry point as process 1.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "kuberian", "containers")
BUILDAH_ENVIRONMENT = {**os.environ, "CONTAINERS_STORAGE_CONF": str(CACHE / "storage.conf")}
NAME = os.environ.get("KUBERIAN_IMAGE", "kuberian:latest")

# What setpriv needs to become the image's user; it keeps none of them.
_TO_CHANGE_USER = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


def buildah(*arguments: str) -> str:
    """Run buildah on the cache folder's storage and return what it prints."""
    done = subprocess.run(["buildah", *arguments], env=BUILDAH_ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """What is mounted over an image's files: `home` at /data, writable; folders by name under /repositories."""

    root: Path
    config: dict
    home: Path
    repositories: Mapping[str, Path]

    @property
    def user(self) -> str:
        """The user's number."""
        return str(self.config["User"]).partition(":")[0]

    def start(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        entrypoint: Sequence[str] | None = None,
        network: bool = False,
    ) -> subprocess.Popen[str]:
        """Start the entry point, or another program, with arguments."""
        settings = dict(variable.split("=", 1) for variable in self.config["Env"]) | dict(environment or {})
        command = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
        command += [] if network else ["--unshare-net"]
        command += ["--die-with-parent", "--as-pid-1", "--new-session", "--clearenv", "--cap-drop", "ALL"]
        command += [word for name in _TO_CHANGE_USER for word in ("--cap-add", name)]
        command += ["--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev"]
        command += ["--perms", "1777", "--tmpfs", "/tmp"]
        command += ["--bind", str(self.home), "/data", "--tmpfs", "/repositories"]
        for name, folder in self.repositories.items():
            command += ["--ro-bind", str(folder), f"/repositories/{name}"]
        command += ["--remount-ro", "/repositories", "--chdir", self.config["WorkingDir"]]
        command += [word for name, value in settings.items() for word in ("--setenv", name, value)]
        command += ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", "--no-new-privs"]
        command += ["--bounding-set=-all", "--inh-caps=-all", "--"]
        command += [*(self.config["Entrypoint"] if entrypoint is None else entrypoint), *arguments]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Start it and wait for its end."""
        process = self.start(*arguments, **options)  # type: ignore[arg-type]
        try:
            stdout, stderr = process.communicate(timeout=300)
        finally:
            kill(process)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@contextmanager
def mounted(image: str = NAME) -> Iterator[tuple[Path, dict]]:
    """Mount an image; yield its files and its settings."""
    config = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    name = buildah("from", "--pull-never", image)
    try:
        yield Path(buildah("mount", name)), config
    finally:
        buildah("rm", name)


def volume(folder: Path, config: dict) -> Path:
    """Make a folder that is the image's user's, as a new volume is."""
    folder.mkdir()
    owner = int(str(config["User"]).partition(":")[0])
    os.chown(folder, owner, owner)
    return folder


def kill(started: subprocess.Popen[str]) -> None:
    """End a container as an engine's `kill` does. Bubblewrap's own end would not: changing the user undid that tie."""
    if started.poll() is None:
        os.kill(main_process(started), signal.SIGKILL)
    started.wait()


def main_process(started: subprocess.Popen[str]) -> int:
    """Return the process number, outside, of a container's process 1: what an engine sends signals to."""
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    return int(children[0])
