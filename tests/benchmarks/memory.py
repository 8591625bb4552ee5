"""How much memory and time processes take, by what the kernel tells of them (proc(5))."""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

_PAUSE_SECONDS = 0.02
_KIB = 1024
_REST_SECONDS, _REST_SHARE = 0.5, 0.05


@attrs.frozen(kw_only=True)
class Footprint:
    """What one process takes now, in MiB. What is shared counts in full, by its share, not."""

    resident: float
    proportional: float
    private: float


@attrs.define
class Peaks:
    """The most that a process, each of its descendants, and all together took, in MiB."""

    own: float = 0
    children: dict[int, float] = attrs.field(factory=dict)
    together: float = 0

    @property
    def largest_child(self) -> float:
        return max(self.children.values(), default=0)


def footprint(pid: int) -> Footprint:
    """What a process takes now."""
    sizes = dict(_sizes(Path(f"/proc/{pid}/smaps_rollup")))
    return Footprint(
        resident=sizes["Rss"],
        proportional=sizes["Pss"],
        private=sizes["Private_Clean"] + sizes["Private_Dirty"],
    )


@contextmanager
def watched(pid: int) -> Iterator[Peaks]:
    """Look at a process and its descendants until the block ends. The peaks are written then."""
    peaks, ended = Peaks(), threading.Event()

    def watch() -> None:
        while not ended.wait(_PAUSE_SECONDS):
            _look(pid, peaks)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _look(pid: int, peaks: Peaks) -> None:
    together = 0.0
    for process in family(pid):
        with suppress(OSError, KeyError):
            sizes = dict(_sizes(Path(f"/proc/{process}/status")))
            together += sizes["VmRSS"]
            if process == pid:
                peaks.own = max(peaks.own, sizes["VmHWM"])
            else:
                peaks.children[process] = max(peaks.children.get(process, 0), sizes["VmHWM"])
    peaks.together = max(peaks.together, together)


def family(pid: int) -> Iterable[int]:
    """A process and all that descend from it."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def _sizes(file: Path) -> Iterator[tuple[str, float]]:
    """The lines of a file that tell sizes in kB, in MiB."""
    for line in file.read_text().splitlines():
        if line.endswith(" kB"):
            name, _, size = line.partition(":")
            yield name, int(size.split()[0]) / _KIB


def processor_seconds(pid: int) -> float:
    """How long a process has computed (proc(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until_at_rest(pid: int) -> None:
    """Wait until a process and all that descend from it have no more to do of themselves."""
    spent, before = _of_the_family(pid), -1.0
    while spent - before > _REST_SHARE * _REST_SECONDS:
        time.sleep(_REST_SECONDS)
        spent, before = _of_the_family(pid), spent


def _of_the_family(pid: int) -> float:
    seconds = 0.0
    for process in family(pid):
        with suppress(OSError):
            seconds += processor_seconds(process)
    return seconds
