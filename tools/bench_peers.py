#!/usr/bin/env python3
"""Measures this program and what a user would pick instead, in turns, on the same work and the same CPU.

    tools/bench_peers.py                     makes build/peers/env, measures, writes experiments/records/peers
    tools/bench_peers.py --only greedy       some of the works; --list names them
    tools/bench_peers.py --draw              table and plot again from results.json, without measuring

Peers are Hugging Face's T5 in PyTorch (eager, its batches grouped by length, and compiled) and CTranslate2 in its types, in
the versions of tools/requirements-peers.txt. The texts are those that `tinythinker bench --texts` wrote: each peer gets the
same token ids, and where it generates greedily the same weights; its texts are compared with ours. A round measures ours,
then each peer, each in a process of its own; a ratio is of one round. Tokens are counted without padding.

results.json is written after each measurement. After an interruption the same command goes on, on the same machine with the
same program and packages; peers that failed are tried again, those that were not ready in time with more --compile-minutes.
The bf16 works run where the CPU has instructions for bf16. The top README.md gets its table once all works are measured.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from peers import ours, plot, record, weights

OUT = record.SOURCE / "experiments" / "records" / "peers"
SHAPES = {"tiny": "tiny T5 (1.1 M)", "small": "T5-small"}
MODELS = ["model.h5", "hugging-face", "ctranslate2"]  # ours, and what it is for others
EMBEDDING = 0.05  # factor of the random embedding in generation


@dataclass
class Peer:
    name: str
    module: str  # of tools/peers
    options: list
    settings: str  # for the page
    limited: bool = False  # compiles, for as long as --compile-minutes allows


@dataclass
class Work:
    name: str
    text: str  # for people
    options: list  # of tinythinker bench
    peers: list
    shape: str = "small"
    precision: str = "fp32"
    slots: int = 0  # generation alone, as are
    samples: int = 0
    new_tokens: int = 0
    toy: list = field(default_factory=list)  # options with --toy

    def greedy(self):
        return self.slots > 0 and self.samples == 0

    def bench_options(self, toy):
        """Of tinythinker bench, each once: those of --toy replace others."""
        out = list(self.options)
        for name, value in zip(self.toy[::2], self.toy[1::2]) if toy else ():
            out[out.index(name) + 1] = value
        return out


def training_peers(work, shape, precision):
    options = ["--work", work, "--precision", precision]
    eager = Peer("PyTorch eager", "hugging_face", options,
                 "Hugging Face's T5, batches padded to their longest text as its trainer does, AdamW (fused), norm clipped at 1")
    if work == "preference":
        eager.settings = ("Hugging Face's T5 as TRL 0.9.6 trains encoder-decoders: prompts repeated and encoded for chosen and "
                          "rejected texts, one padded batch of both, reference precomputed, NLL from the same logits")
        return [eager]
    grouped = Peer("PyTorch, grouped", "hugging_face", [*options, "--group"],
                   "the same with group_by_length: texts sorted among 50 batches, as many of these batches measured")
    compiled = Peer("PyTorch compiled", "hugging_face", [*options, "--mode", "compile"],
                    "the first by torch.compile(dynamic=True); every shape once before it is measured", limited=True)
    return [eager, grouped] if shape == "tiny" else [eager, grouped, compiled]


def generation_peers(slots, samples, new_tokens, precision):
    common = ["--slots", slots, "--samples", samples, "--new-tokens", new_tokens]
    types = {"fp32": ["float32", "int8"], "bf16": ["bfloat16", "int8"]}[precision]
    how = "top p 0.95, top k 0" if samples else "greedy"
    return [
        Peer("PyTorch eager", "hugging_face", ["--work", "generation", "--precision", precision, *common],
             f"Hugging Face's generate, {how}, prompts sorted by length, batches of {slots} texts"),
        *(Peer(f"CTranslate2 {t}", "ctranslate", ["measure", "--type", t, *common],
               f"compute_type {t}, {how}, beam_size 1, one translator with all threads, max_batch_size for {slots} texts")
          for t in types)]


def works(precision):
    """What is measured, in this order."""
    p, out = precision, []
    for work, shape, tokens, steps in (
            ("training", "small", 512, 2), ("training", "tiny", 2048, 8), ("preference", "small", 512, 2)):
        if shape == "tiny" and p == "bf16":
            continue
        out.append(Work(
            f"{work} {shape} {p}", f"{'training' if work == 'training' else 'DPO with NLL'}, {SHAPES[shape]}, {p}",
            ["--work", work, "--tokens", tokens, "--steps", steps, "--precision", p],
            training_peers(work, shape, p), shape=shape, precision=p,
            toy=["--tokens", 128, "--steps", 2]))
    for name, text, prompts, slots, samples in (
            ("greedy", "greedy texts of 256 prompts, T5-small", 256, 128, 0),
            ("samples", "ten samples of 16 prompts, T5-small", 16, 160, 10)):
        out.append(Work(
            f"{name} small {p}", f"{text}, {p}",
            ["--work", "generation", "--prompts", prompts, "--new-tokens", 47, "--slots", slots, "--steps", 1, "--precision", p,
             *([] if samples else ["--greedy"])],
            generation_peers(slots, samples, 47, p), precision=p, slots=slots, samples=samples, new_tokens=47,
            toy=["--prompts", 8 if samples == 0 else 2]))
    return out


def precisions(processor):
    flags = processor["flags"]
    return ["fp32", "bf16"] if "avx512_bf16" in flags or "amx_bf16" in flags else ["fp32"]


def all_works(processor=None):
    return [w for p in precisions(processor or record.processor()) for w in works(p)]


# Measuring

class Measurement:
    def __init__(self, args):
        self.args = args
        self.program = ours.program(args.program)
        self.threads = args.threads or len(os.sched_getaffinity(0))
        self.folder = record.SOURCE / "build" / "peers"
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        self.version = ours.version(self.program)
        self.python, versions = environment(args.python, self.folder)
        settings = {"program": self.version, "commit": record.commit(), "threads": self.threads, "toy": args.toy}
        self.record = record.Record(args.out / "results.json", settings, versions, args.fresh)
        self.failed = set()  # works and peers, in this call

    def worker(self, peer, *more, limit=None):
        variables = record.environment(
            PYTHONPATH=str(record.SOURCE / "tools"), TORCHINDUCTOR_CACHE_DIR=str(self.folder / "inductor"),
            HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
        return record.run([self.python, "-m", f"peers.{peer}", *more], variables, limit)

    def path(self, name):
        return self.folder / name.replace(" ", "-")

    def texts(self, work):
        return self.path(("toy " if self.args.toy else "") + work.name + ".jsonl")

    def models(self):
        """The student of the generating works: our checkpoint, Hugging Face's directory and CTranslate2's; of this program and
        of these packages."""
        folder, stamp = self.folder / "models", json.dumps([self.version, self.record.data["versions"]])
        made = folder / "made-by.json"
        if not made.exists() or made.read_text(encoding="utf-8") != stamp:
            print("making T5-small with random weights, for Hugging Face and CTranslate2 too", flush=True)
            unfinished = self.folder / f"models.{os.getpid()}.tmp"
            unfinished.mkdir()
            self.make_models(unfinished)
            (unfinished / made.name).write_text(stamp, encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
        return [folder / name for name in MODELS]

    def make_models(self, folder):
        checkpoint, face, translate = (folder / name for name in MODELS)
        run = lambda *words: record.run([self.program, *words])
        run("tokenizer", "train", record.SOURCE / "CONTRIBUTING.md", "--pieces", 500, "-o", folder / "tokenizer.model")
        run("model", "init", "--shape", "t5-small", "--tokenizer", folder / "tokenizer.model", "-o", checkpoint)
        run("model", "export", checkpoint, "-o", face, "--force")
        weights.shrink_embedding(face, EMBEDDING)
        run("model", "import", face, "-o", checkpoint)
        self.worker("ctranslate", "convert", face, translate)

    def measure_ours(self, work):
        which = ["--model", self.models()[0]] if work.slots else ["--shape", work.shape]
        return ours.bench(
            self.program, self.threads, *work.bench_options(self.args.toy), *which, "--texts", self.texts(work))

    def measure_peer(self, work, peer):
        load, began = record.load(), record.now()
        options = [*peer.options, "--texts", self.texts(work), "--threads", self.threads]
        if work.slots:
            options += ["--model", self.models()[2 if peer.module == "ctranslate" else 1]]
        else:
            options += ["--shape", work.shape]
        limit = 60 * self.args.compile_minutes if peer.limited else None
        measured = self.worker(peer.module, *options, limit=limit)
        if not measured:
            return {"began": began, "load": load, "failed": f"not ready after {self.args.compile_minutes:g} minutes",
                    "minutes": self.args.compile_minutes}
        out = record.json_of(measured, [self.python, "-m", f"peers.{peer.module}"])
        texts = out.pop("texts", None)
        result = {
            "began": began, "load": load, "wall_seconds": round(measured.seconds, 1),
            "processor_seconds": round(measured.processor, 1), "memory_bytes": measured.memory,
            "tokens_per_second": record.spread([t / s for t, s in zip(out["tokens"], out["seconds"])])["median"], **out}
        if texts and work.greedy():
            result["texts"] = agreement(self.texts(work), texts)
        return result

    def is_due(self, work, peer, name, again):
        """Whether a peer is measured in a round: not yet, or ours is anew, or it failed and may do better now."""
        rounds = self.record.get(work.name, peer.name)
        if (work.name, peer.name) in self.failed or peer.limited and self.args.compile_minutes == 0:
            return False
        if any(r.get("minutes", -1) >= self.args.compile_minutes for r in rounds.values()):
            return False
        return again or name not in rounds or "failed" in rounds[name]

    def measure(self, work, round_):
        """What of a round is not there yet. Peers need the texts that ours wrote."""
        name = f"round {round_ + 1}"
        again = name not in self.record.get(work.name, "ours") or not self.texts(work).exists()
        if again:
            self.keep(work, "ours", name, self.measure_ours(work))
        for peer in work.peers:
            if not self.is_due(work, peer, name, again):
                continue
            try:
                result = self.measure_peer(work, peer)
            except record.Failed as error:
                reason = str(error).splitlines()[-1].strip()  # what it said itself
                result = {"began": record.now(), "load": record.load(), "failed": reason}
            if "failed" in result:
                self.failed.add((work.name, peer.name))
            self.keep(work, peer.name, name, result)

    def keep(self, work, who, name, result):
        self.record.put(result, work.name, who, name)
        words = result.get("failed") or f"{result['tokens_per_second']:,.0f} tokens/s, {result['memory_bytes'] / 1e9:.2f} GB"
        if "share_of_peak" in result:
            words += f", {100 * result['share_of_peak']:.0f} % of the GEMM peak"
        if "texts" in result:
            words += f", {result['texts']['equal']} of {result['texts']['of']} texts equal to ours"
        print(f"{work.name}, {name}, {who}: {words} ({result.get('wall_seconds', 0):.0f} s, load {result['load']})", flush=True)


def agreement(path, texts):
    """How many greedy texts are equal to ours, and how many tokens before the first that differs."""
    item = json.loads(open(path, encoding="utf-8").readline())
    mine = dict(zip(item["source_of"], item["targets"]))
    same = [next((k for k, (a, b) in enumerate(zip(mine[i], text)) if a != b), len(mine[i])) for i, text in enumerate(texts)]
    return {
        "of": len(texts), "equal": sum(mine[i] == text for i, text in enumerate(texts)),
        "tokens_before_the_first_difference": sum(same), "tokens": sum(map(len, mine.values())),
        "different_texts_of_ours": len({tuple(t) for t in mine.values()})}


def remove_leftovers(folder):
    """Files NAME.PID.tmp of processes that were killed."""
    for path in folder.glob("*.tmp"):
        process = re.search(r"\.(\d+)\.tmp$", path.name)
        if not process or Path("/proc", process[1]).exists():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def make_environment(folder, python):
    """A Python with the pinned packages, in a folder that keeps the hash of their list."""
    wanted, ready = record.SOURCE / "tools" / "requirements-peers.txt", folder / "ready"
    hash_ = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if ready.exists() and ready.read_text(encoding="utf-8") == hash_:
        return
    print(f"making {folder} with the packages of {wanted.name} (6 GB, minutes)", flush=True)
    ready.unlink(missing_ok=True)
    for command in ([sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "--quiet", "-r", wanted]):
        if subprocess.run(list(map(str, command)), check=False).returncode:
            raise record.Failed(f"{' '.join(map(str, command))}: failed; --python names a Python that has the packages")
    ready.write_text(hash_, encoding="utf-8")


PACKAGES = ["torch", "transformers", "ctranslate2", "safetensors"]
ASK = (f"import json, platform, {', '.join(PACKAGES)}\n"
       f"print(json.dumps({{m.__name__: str(m.__version__) for m in ({', '.join(PACKAGES)})}} | "
       "{'python': 'Python ' + platform.python_version()}))")


def environment(given, folder):
    """A Python with the packages, as given or made here, and their versions."""
    python = folder / "env" / "bin" / "python"
    if given:
        found = shutil.which(given)
        if not found:
            raise record.Failed(f"{given}: no such program; --python names a Python that has the packages")
        python = Path(found).absolute()
    else:
        make_environment(folder / "env", python)
    command = [python, "-c", ASK]
    try:
        return python, record.json_of(record.run(command), [python])
    except record.Failed as error:
        reason = str(error).splitlines()[-1].strip()
        raise record.Failed(f"{python}: lacks packages of tools/requirements-peers.txt: {reason}") from error


# Table and plot

def check(data, path):
    """Whether what was measured has the form that measure() gives it."""
    ours_ = {"tokens_per_second", "memory_bytes", "share_of_peak"}
    for work, peers in data["measured"].items():
        for who, rounds in peers.items() if isinstance(peers, dict) else [("", None)]:
            record.check_results(path, f"{work}, {who}", rounds, ours_ if who == "ours" else ours_ - {"share_of_peak"})


def ratios(mine, theirs):
    """Ours to theirs, of each round."""
    return [mine[r]["tokens_per_second"] / theirs[r]["tokens_per_second"]
            for r in theirs if r in mine and "failed" not in theirs[r]]


def median_of(rounds, key="tokens_per_second"):
    return record.spread([r[key] for r in rounds.values() if key in r])["median"]


def summary(data):
    """Rows of the table: work, peer, and what is printed."""
    known = {w.name: w for p in ("fp32", "bf16") for w in works(p)}
    for name, peers in data["measured"].items():
        if name in known and peers.get("ours"):
            work = known[name]
            if data["settings"].get("toy"):
                work = replace(work, text=f"{work.text}, toy size")
            yield work, {k: v for k, v in peers.items() if v}


def agree_words(rounds):
    texts = next((r["texts"] for r in rounds.values() if "texts" in r), None)
    return f"{texts['equal']} of {texts['of']}" if texts else ""


def table(data):
    lines = [
        "| work | who | tokens/s, each round | ours to it | of GEMM peak | memory | greedy texts as ours |",
        "|---|---|---|---|---|---|---|"]
    for work, peers in summary(data):
        mine = peers["ours"]
        for who, rounds in peers.items():
            done = {k: r for k, r in rounds.items() if "failed" not in r}
            title, called = (work.text, "this program") if who == "ours" else ("", who)
            if not done:
                reason = next(iter(rounds.values()))["failed"]
                lines.append(f"| {title} | {called} | {reason} | | | | |")
                continue
            each = ", ".join(f"{r['tokens_per_second']:,.0f}" for r in done.values())
            spread = record.spread(ratios(mine, done)) if who != "ours" and ratios(mine, done) else None
            ratio = f"**{spread['median']:.2f}** ({spread['low']:.2f} to {spread['high']:.2f})" if spread else ""
            share = f"{100 * median_of(done, 'share_of_peak'):.0f} %" if who == "ours" else ""
            lines.append(f"| {title} | {called} | {each} | {ratio} | {share} | {median_of(done, 'memory_bytes') / 1e9:.2f} GB | "
                         f"{agree_words(done)} |")
    return "\n".join(lines)


def settings_table(data):
    """What each peer of the measured works was set to, and how much of its batches was padding."""
    lines = ["| work | peer | settings |", "|---|---|---|"]
    for work, peers in summary(data):
        title = work.text
        for peer in work.peers:
            if peer.name in peers:
                padding = [r["padding"] for r in peers[peer.name].values() if "padding" in r]
                more = f"; {100 * padding[0]:.0f} % padding" if padding else ""
                lines.append(f"| {title} | {peer.name} | {peer.settings}{more} |")
                title = ""
    return "\n".join(lines)


def kinds_table(data):
    """Where the time of this program's steps goes, in the last round."""
    found = [(w, list(p["ours"].values())[-1]["seconds_by_kind"]) for w, p in summary(data)
             if "seconds_by_kind" in list(p["ours"].values())[-1]]
    kinds = [k for k in (found[0][1] if found else []) if any(seconds.get(k, 0) > 0 for _, seconds in found)]
    lines = ["| work | " + " | ".join(kinds) + " |", "|---" * (1 + len(kinds)) + "|"]
    for work, seconds in found:
        shares = [100 * seconds.get(k, 0) / sum(seconds.values()) for k in kinds]
        lines.append(f"| {work.text} | " + " | ".join(f"{s:.1f} %" if s else "" for s in shares) + " |")
    return "\n".join(lines)


FASTEST = "PyTorch, its fastest way"


def short_table(data):
    """For the top page: one line a work."""
    every = ["PyTorch eager", FASTEST, "CTranslate2 float32", "CTranslate2 int8"]
    lines = ["| on " + f"{data['settings']['threads']} threads of {data['machine']['processor']['name']} | this program | " +
             " | ".join(f"times {name}" for name in every) + " |", "|---" * (2 + len(every)) + "|"]
    for work, peers in summary(data):
        mine = peers["ours"]
        torch = [ratios(mine, rounds) for name, rounds in peers.items() if name.startswith("PyTorch")]
        fastest = min(filter(None, torch), key=lambda r: record.spread(r)["median"], default=[])
        each = [fastest if name == FASTEST else ratios(mine, peers.get(name, {})) for name in every]
        lines.append(f"| {work.text} | {median_of(mine):,.0f} tokens/s | " +
                     " | ".join(f"{record.spread(r)['median']:.1f}" if r else "" for r in each) + " |")
    return "\n".join(lines)


def machine_lines(data):
    m, s, cpu = data["machine"], data["settings"], data["machine"]["processor"]
    loads = [r["load"] for w in data["measured"].values() for p in w.values() for r in p.values()]
    versions = ", ".join(f"{k} {v}" for k, v in sorted(data["versions"].items()) if k != "python")
    toy = " **Toy sizes: the numbers say nothing.**" if s.get("toy") else ""
    return "\n".join([
        f"{cpu['name']} (family, model, stepping {cpu['family_model_stepping']}; {', '.join(cpu['flags'])}; "
        f"{', '.join(m['caches'])}), {s['threads']} threads, {m['memory_bytes'] / 2**30:.0f} GiB; {m['system']};",
        f"{data['versions'].get('python', '')}, {versions}; {s['program']}; tools of commit {s['commit']}; begun {data['began']}.",
        f"Load averages when measurements began: {min(loads):.1f} to {max(loads):.1f}; one alone makes it up to "
        f"{s['threads']}.{toy}"])


def not_measured(data):
    """Works and peers of the record's machine that it lacks; those that compile may be left out."""
    for work in all_works(data["machine"]["processor"]):
        for name in ["ours", *(p.name for p in work.peers if not p.limited)]:
            if not data["measured"].get(work.name, {}).get(name):
                yield f"{work.name}, {name}"


def write_top_page(data):
    """The table of the top README.md, where the record is whole."""
    missing = list(not_measured(data))
    page = record.SOURCE / "README.md"
    if data["settings"].get("toy"):
        print(f"{page} keeps its table: sizes are those of --toy")
    elif missing:
        print(f"{page} keeps its table: not measured yet: {'; '.join(missing)}")
    else:
        record.put_between(page, "peers", short_table(data))


def draw(out):
    data = record.read(out / "results.json")
    check(data, out / "results.json")
    if not list(summary(data)):
        raise record.Failed(f"{out / 'results.json'}: nothing is measured yet")
    groups = []
    for work, peers in summary(data):
        share = median_of(peers["ours"], "share_of_peak")
        rate = median_of(peers["ours"])
        bars_ = [plot.Bar("this program", share, f"{rate:,.0f} tokens/s", ours=True)]
        for who, rounds in peers.items():
            done = {k: r for k, r in rounds.items() if "failed" not in r}
            if who == "ours" or not done or not ratios(peers["ours"], done):
                continue
            ratio = record.spread(ratios(peers["ours"], done))["median"]
            bars_.append(plot.Bar(who, share / ratio, f"{median_of(done):,.0f}; ours: {ratio:.1f} x"))
        groups.append((work.text, bars_))
    machine = f"{data['machine']['processor']['name']}, {data['settings']['threads']} threads"
    plot.bars(out / "peers.svg", f"Tokens per second: {machine}",
              "share of what the fastest matrix product allows (dashed: the limit)", groups)
    record.put_between(out / "README.md", "machine", machine_lines(data))
    record.put_between(out / "README.md", "peers", table(data))
    record.put_between(out / "README.md", "settings", settings_table(data))
    record.put_between(out / "README.md", "kinds", kinds_table(data))
    if out.resolve() == OUT:
        write_top_page(data)
    return data


def chosen(words):
    every = all_works()
    named = [w for w in every if not words or any(word in w.name for word in words)]
    unknown = [word for word in words if not any(word in w.name for w in every)]
    if unknown:
        raise record.Failed(f"--only: no work's name has '{unknown[0]}'; works: {', '.join(w.name for w in every)}")
    return named


def show_list():
    for work in all_works():
        print(f"{work.name}: {work.text}: {', '.join(['ours', *(p.name for p in work.peers)])}")
    if "bf16" not in precisions(record.processor()):
        print("bf16 is left out: this CPU has no instructions for it")


def work_through(args):
    args.out.mkdir(parents=True, exist_ok=True)
    if "bf16" not in precisions(record.processor()):
        print("bf16 is left out: this CPU has no instructions for it", flush=True)
    selected = chosen([word for word in args.only.split(",") if word])
    measurement = Measurement(args)
    for work in selected:
        for round_ in range(args.rounds):
            measurement.measure(work, round_)
    print("\n" + table(draw(args.out)))
    print(f"\nwritten to {args.out}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print works and peers")
    parser.add_argument("--only", default="", metavar="WORDS", help="works whose name has one of these words: training,greedy")
    parser.add_argument("--rounds", type=record.at_least(1), default=2, help="rounds of each work (default 2)")
    parser.add_argument("--fresh", action="store_true", help="measure anew, and replace results.json")
    parser.add_argument("--draw", action="store_true", help="table and plot from results.json alone")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of results.json (default experiments/records/peers)")
    parser.add_argument("--program", help="tinythinker (default: $TINYTHINKER, build/default, build/ci)")
    parser.add_argument("--python", help="a Python with tools/requirements-peers.txt (default: one is made in build/peers/env)")
    parser.add_argument("--threads", type=record.at_least(0), default=0, help="threads of each program (default: all cores)")
    parser.add_argument("--compile-minutes", type=record.at_least(0, float), default=4, metavar="N",
                        help="time for torch.compile; 0 leaves it out (default 4)")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, to try the tool: the numbers say nothing")
    args = parser.parse_args()
    if args.list:
        show_list()
    elif args.draw:
        draw(args.out)
    else:
        work_through(args)


if __name__ == "__main__":
    record.main_of(main)
