"""Fovea against PyTorch, ONNX Runtime and OpenVINO: the same networks, batches and cores, in turns.

    make peers                                   installs the three and measures everything (about half an hour)
    make peers ARGUMENTS="--only foveanet"       only what has this in its name
    make peers ARGUMENTS="--rounds 3 --seconds 2"

Each contestant is a process of its own that works when it is told to and stands still (SIGSTOP) while others do. In a round
all of them work one after the other; a ratio compares two of the same round. Printed are medians over the rounds, with
the lowest and the highest.
"""
import argparse
import datetime
import importlib.metadata
import os
import signal
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "..", ".build", "release", "fovea-bench")
PEERS = {"train": ["torch"], "infer": ["onnxruntime", "openvino", "torch"]}
# The seed's networks with the seed's batches; foveanet with the fast recipe's; those for photographs at 224 x 224.
CASES = [
    ("train", "resnet", 250), ("train", "vanilla", 500), ("train", "depthwise", 500), ("train", "foveanet", 1024),
    ("infer", "efficientnet-lite0", 16), ("infer", "efficientnet-lite0", 1), ("infer", "resnet18", 16),
    ("infer", "resnet18", 1), ("infer", "resnet9", 64), ("infer", "resnet9", 1), ("infer", "foveanet", 64), ("infer", "foveanet", 1),
]


class Contestant:
    """A process that measures when it is told to, and is stopped otherwise."""

    def __init__(self, framework, job, network, batch):
        self.framework = framework
        words = [job, network, str(batch)]
        command = (
            [BENCH, "contestant", *words] if framework == "fovea"
            else [sys.executable, os.path.join(HERE, "contestant.py"), framework, *words])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.expect("ready")
        except BaseException:
            self.end()
            raise
        self.process.send_signal(signal.SIGSTOP)

    def expect(self, word=None):
        line = self.process.stdout.readline().strip()
        if not line or word and line != word:
            raise SystemExit(f"peers: {self.framework} ended or said '{line}'; its own message stands above")
        return line

    def rate(self, seconds):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"go {seconds}\n")
        self.process.stdin.flush()
        rate = float(self.expect())
        self.process.send_signal(signal.SIGSTOP)
        return rate

    def end(self):
        self.process.kill()
        self.process.wait()


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else os.uname().machine


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def main():
    parser = argparse.ArgumentParser(description="Fovea against PyTorch, ONNX Runtime and OpenVINO.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3, help="of each contestant in a round, one batch at least")
    parser.add_argument("--only", default="", help="cases with this in their name, such as resnet9 or train")
    arguments = parser.parse_args()
    if not os.path.exists(BENCH):
        raise SystemExit("peers: fovea-bench is not built: make build")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "onnxruntime", "openvino"))
    print(f"{datetime.date.today()} · {processor()} · {len(os.sched_getaffinity(0))} cores · {versions}\n")
    print("| what | Fovea, images/s | peer | peer, images/s | Fovea ÷ peer |\n|---|---|---|---|---|", flush=True)
    for job, network, batch in CASES:
        title = f"{job} {network}, batch {batch}"
        if arguments.only not in title:
            continue
        contestants, rates = [], {}
        try:
            for name in ["fovea", *PEERS[job]]:
                contestants.append(Contestant(name, job, network, batch))
                rates[name] = []
            for _ in range(arguments.rounds):
                for contestant in contestants:
                    rates[contestant.framework].append(contestant.rate(arguments.seconds))
        finally:
            for contestant in contestants:
                contestant.end()
        own = rates.pop("fovea")
        best = max(rates, key=lambda name: statistics.median(rates[name]))
        for name, values in rates.items():
            ratios = [a / b for a, b in zip(own, values)]
            mark = "**" if name == best else ""
            print(
                f"| {title} | {figure(statistics.median(own))} | {name} | {figure(statistics.median(values))} "
                f"| {mark}{statistics.median(ratios):.2f}{mark} ({min(ratios):.2f} … {max(ratios):.2f}) |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130)
