"""Measurements of other programs, and the file that keeps them. Needs Python alone."""

import errno
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
            if limit is not None and time.monotonic() - began > limit:
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


def json_of(measured, command):
    """The object that a program printed."""
    try:
        out = json.loads(measured.output)
    except ValueError as error:
        raise Failed(f"{' '.join(map(str, command))}: expected JSON on its standard output: {error}") from error
    if not isinstance(out, dict):
        raise Failed(f"{' '.join(map(str, command))}: expected a JSON object on its standard output, got {out!r:.40}")
    return out


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


def same_machine(machine_):
    """What of a machine must not change within a record; memory roughly, since kernels keep more or less of it."""
    cpu = machine_["processor"]
    return {
        "processor": (cpu.get("name"), cpu.get("family_model_stepping")), "flags of the processor": cpu.get("flags"),
        "cores": cpu.get("cores"), "memory in GiB": round(machine_["memory_bytes"] / 2**30)}


def differences(before, now_):
    """What a record was measured with, and what would be measured with now: lines `name: before, now`."""
    pairs = [(before["settings"], now_["settings"]), (same_machine(before["machine"]), same_machine(now_["machine"])),
             (before["versions"], now_["versions"])]
    return [f"{name}: {old.get(name)}, now {new.get(name)}"
            for old, new in pairs for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


class Record:
    """A JSON file that is written after each measurement. A second call goes on with it where program, settings, machine and
    versions of packages are the same; else numbers in it could not be compared."""

    def __init__(self, path, settings, versions, fresh=False):
        self.path = Path(path)
        self.data = {"settings": settings, "began": now(), "machine": machine(), "versions": versions, "measured": {}}
        if fresh or not self.path.exists():
            return
        before = read(self.path)
        different = differences(before, self.data)
        if different:
            raise Failed("\n  ".join([
                f"{self.path}: was measured with other settings; --fresh replaces it, --out writes elsewhere", *different]))
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


PARTS = {"settings": dict, "began": str, "machine": dict, "versions": dict, "measured": dict}


def read(path):
    """A record whose parts are there."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"{path}: not a record: {error}; --fresh starts anew") from error
    missing = [name for name, kind in PARTS.items() if not isinstance(data, dict) or not isinstance(data.get(name), kind)]
    missing = missing or [name for name in ("processor", "memory_bytes") if name not in data["machine"]]
    if missing:
        raise Failed(f"{path}: not a record: no {missing[0]!r}; --fresh starts anew")
    return data


def check_results(path, where, results, keys):
    """Whether each of some results is a number for each key, or a reason why there is none, beside the machine's load."""
    for name, result in results.items() if isinstance(results, dict) else [("", None)]:
        needs = {"load"} | (set() if isinstance(result, dict) and isinstance(result.get("failed"), str) else keys)
        for key in sorted(needs):
            if not isinstance(result, dict) or not isinstance(result.get(key), (int, float)):
                raise Failed(f"{path}: {where}, {name}: no number {key!r}; --fresh starts anew")


def put_between(path, name, text):
    """Replaces what stands between two marks of a page: <!-- NAME: begin --> and <!-- NAME: end -->."""
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = Path(path)
    try:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
    except UnicodeDecodeError as error:
        raise Failed(f"{page}: not text in UTF-8: {error}") from error
    if first not in before or last not in before:
        before = f"{before}\n{first}\n{last}\n" if before else f"{first}\n{last}\n"
    head, _, rest = before.partition(first)
    page.write_text(f"{head}{first}\n{text.strip()}\n{last}{rest.partition(last)[2]}", encoding="utf-8")


def at_least(low, kind=int):
    """For argparse: a number that is not smaller."""
    def number(word):
        value = kind(word)
        if not low <= value < float("inf"):
            raise ValueError
        return value
    number.__name__ = f"number of at least {low}"
    return number


def flushed(work):
    try:
        work()
    finally:
        if sys.stdout:
            sys.stdout.flush()


OUTPUT_ERRORS = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def explain(error):
    """The message of an OSError; one without a file is of standard output, or of the system."""
    output = error.filename is None and error.errno in OUTPUT_ERRORS
    if output:  # what is left of it would be tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    where = "standard output: " if output else f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def main_of(work):
    """Calls work() and turns what stops it into a message and a status."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    tool = Path(sys.argv[0]).name
    try:
        flushed(work)
    except Failed as error:
        sys.exit(f"{tool}: {error}")
    except OSError as error:
        words = explain(error)
        sys.exit(1 if isinstance(error, BrokenPipeError) else f"{tool}: {words}")
    except KeyboardInterrupt:
        print("\nstopped; what was measured is kept, and the same command goes on", file=sys.stderr)
        sys.exit(130)
