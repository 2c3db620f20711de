"""Measurements of other programs, and the file that keeps them. Needs Python alone."""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
# What decides about speed here, of all that a processor can do.
FLAGS = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16", "amx_int8"]
# How threads wait is each program's own choice.
THREAD_VARIABLES = ["OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS"]


class Failed(Exception):
    """A message for the person who called the tool."""


@dataclass
class Measured:
    output: str
    seconds: float
    memory: int  # bytes: the largest resident size of the process
    processor: float  # seconds of the processors


def environment(**more):
    return {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES} | more


def start(command, variables):
    """A process in a group of its own, so that all it starts can be ended, and the files that get its output."""
    files = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
    try:
        process = subprocess.Popen(
            list(map(str, command)), env=variables, stdin=subprocess.DEVNULL, stdout=files[0], stderr=files[1],
            cwd=SOURCE, start_new_session=True)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    return process, files


def end(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_all(commands, variables, limit=None):
    """Runs (command, more variables) at the same time; returns a Measured of each, or None where `limit` seconds passed."""
    began = time.monotonic()
    running = [(*start(command, variables | more), command) for command, more in commands]
    done = {}
    try:
        while len(done) < len(running):
            for i, (process, files, command) in enumerate(running):
                if i in done:
                    continue
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid == 0:
                    continue
                process.returncode = os.waitstatus_to_exitcode(status)
                for file in files:
                    file.seek(0)
                if process.returncode != 0:
                    raise Failed(failure(command, process.returncode, files))
                done[i] = Measured(
                    files[0].read(), time.monotonic() - began, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)
            if limit and time.monotonic() - began > limit:
                return None
            time.sleep(0.02)
        return [done[i] for i in range(len(running))]
    finally:
        for process, files, _ in running:
            if process.returncode is None:
                end(process)
                process.wait()
            for file in files:
                file.close()


def run(command, variables=None, limit=None):
    measured = run_all([(command, {})], environment() if variables is None else variables, limit)
    return measured and measured[0]


def failure(command, code, files):
    what = f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"
    last = (files[1].read().strip() or files[0].read().strip()).splitlines()[-8:]
    return "\n  ".join([f"{' '.join(map(str, command))}: {what}", *last])


def processor():
    """Name, flags and number of cores that this process may use."""
    fields = {}
    try:
        for line in open("/proc/cpuinfo", encoding="utf-8"):
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    has = set(fields.get("flags", fields.get("Features", "")).split())
    return {
        "name": fields.get("model name", platform.processor() or platform.machine()),
        "family_model_stepping": " ".join(fields.get(k, "?") for k in ("cpu family", "model", "stepping")),
        "flags": [f for f in FLAGS if f in has],
        "cores": len(os.sched_getaffinity(0))}


def caches():
    """Kinds and sizes of the first core's caches."""
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return found


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    return {
        "processor": processor(), "caches": caches(), "memory_bytes": memory, "system": system,
        "python": platform.python_version()}


def commit():
    """The commit of the sources, with + where files differ from it; `unknown` outside of a repository."""
    def git(*words):
        return subprocess.run(["git", "-C", SOURCE, *words], capture_output=True, text=True, check=True).stdout.strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "host", "kernels", "tools", "CMakeLists.txt")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def load():
    """Programs that wanted to run, in the mean of the last minute: the number of threads in a quiet measurement."""
    return round(os.getloadavg()[0], 2)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


class Record:
    """A JSON file that is written after each measurement. A second call with the same settings goes on with it."""

    def __init__(self, path, settings, fresh=False):
        self.path = Path(path)
        self.data = {"settings": settings, "began": now(), "machine": machine(), "versions": {}, "measured": {}}
        if fresh or not self.path.exists():
            return
        before = read(self.path)
        if before.get("settings") != settings:
            different = sorted(k for k in settings if before.get("settings", {}).get(k) != settings[k])
            raise Failed(
                f"{self.path}: was measured with other settings ({', '.join(different)}); --fresh replaces it, "
                "--out writes elsewhere")
        self.data = before

    def get(self, *keys):
        node = self.data["measured"]
        for key in keys:
            node = node.get(key, {})
        return node

    def put(self, value, *keys):
        node = self.data["measured"]
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = value
        self.save()

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self.path)


def read(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"{path}: not a record: {error}; --fresh starts anew") from error


def put_between(path, name, text):
    """Replaces what stands between two marks of a page: <!-- NAME: begin --> and <!-- NAME: end -->."""
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = Path(path)
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    if first not in before or last not in before:
        before = f"{before}\n{first}\n{last}\n" if before else f"{first}\n{last}\n"
    head, _, rest = before.partition(first)
    page.write_text(f"{head}{first}\n{text.strip()}\n{last}{rest.partition(last)[2]}", encoding="utf-8")


def main_of(work):
    """Calls work() and turns what stops it into a message and a status."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        work()
    except Failed as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        print("\nstopped; what was measured is kept, and the same command goes on", file=sys.stderr)
        sys.exit(130)
