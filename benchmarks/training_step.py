"""A training step against one forward product of the encoder, and against the peers, in turn in one run.

    python benchmarks/training_step.py [--repeats 9] [--threads 2] [--clock wall|cpu] [--size d512|d64]

A step is everything between two batches: encoder product, top-k, decode, loss, all gradients, Adam, unit atoms, the
count of silent tokens. The floor is the bare product x W_encᵀ into storage that is already there. Peers are found by
TRUESCOPE_PEERS (see make_peers.sh); each is a process of its own that waits while another one is measured. Every
round runs the floor, our step, our step with AuxK (half of the features dead), and each peer's two steps, once each.

A ratio is given twice: of the fastest rounds, which a shared machine disturbs least, and as the median over rounds of
the ratio within a round, with its quartiles. On a machine that others use, `--threads 1 --clock cpu` counts the
seconds of CPU instead: there, threads that wait for each other measure the scheduler.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from truescope.dictionaries import gradients, optimiser
from truescope.dictionaries.gradients import AuxK, Weights

HERE = Path(__file__).resolve().parent
SIZES = {
    "d512": {"d": 512, "n": 16384, "k": 32, "batch": 1024},
    "d64": {"d": 64, "n": 2048, "k": 32, "batch": 4096},
}
PEERS = ("sae-lens", "sparsify")
BARS = {"d512": {"step": 2.0, "aim": 1.5}, "d64": {"step": 3.0, "aim": 2.0}}
PEER_BARS = {"sae-lens": 3.5, "sparsify": 1.1}


def machine(threads: int) -> dict[str, object]:
    """What the numbers were measured on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_before": os.getloadavg()[0],
        "seed": 0,
    }


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def ours(d: int, n: int, k: int, batch: int, clock: str) -> dict[str, Callable[[], float]]:
    """The floor and our two steps, each a function that returns its seconds."""
    torch.manual_seed(0)
    x = torch.randn(batch, d)
    atoms = torch.nn.functional.normalize(torch.randn(n, d), dim=1)
    weights = Weights(atoms.clone(), torch.zeros(n), atoms.clone(), torch.zeros(d), centred=True)
    adam = optimiser.adam(weights.tensors(), 1e-4)
    silent = torch.zeros(n, dtype=torch.int64)
    product = torch.empty(batch, n)
    scale = 1 / float((x - x.mean(0)).square().sum(1).mean())
    dead = torch.arange(0, n, 2)

    def step(aux: AuxK | None) -> None:
        loss = gradients.top_k_gradients(weights, x, x, k, scale=scale, aux=aux, tangent=True)
        adam.step()
        optimiser.normalise_rows_(weights.W_dec)
        optimiser.count_silence_(silent, loss.codes)

    def timed(function: Callable[[], object]) -> float:
        start = CLOCKS[clock]()
        function()
        return CLOCKS[clock]() - start

    return {
        "floor": lambda: timed(lambda: torch.mm(x, weights.W_enc.T, out=product)),
        "step": lambda: timed(lambda: step(None)),
        "auxk": lambda: timed(lambda: step(AuxK(dead, d // 2))),
    }


class Peer:
    """A peer's process, which runs a step when it is told to."""

    def __init__(self, python: Path, name: str, size: dict[str, int], threads: int, clock: str) -> None:
        words = [str(size[key]) for key in ("d", "n", "k", "batch")]
        self.process = subprocess.Popen(
            [str(python), str(HERE / "training_step_peer.py"), name, *words, str(threads), clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": str(threads)},
        )
        self._read()

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with status {self.process.wait()}")
        return line

    def run(self, what: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def start_peers(size: dict[str, int], threads: int, clock: str) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that run here, and why the others were skipped."""
    folder = os.environ.get("TRUESCOPE_PEERS")
    peers, skipped = {}, {}
    for name in PEERS:
        python = Path(folder or ".") / name / "bin" / "python"
        if folder is None or not python.exists():
            skipped[name] = "TRUESCOPE_PEERS is not set" if folder is None else f"no {name}/bin/python in it"
            continue
        try:
            peers[name] = Peer(python, name, size, threads, clock)
        except (OSError, RuntimeError) as error:
            skipped[name] = str(error)
    return peers, skipped


def ratio(above: list[float], below: list[float]) -> dict[str, float]:
    within = [a / b for a, b in zip(above, below, strict=True)]
    low, middle, high = statistics.quantiles(within, n=4)
    numbers = {"of_fastest": min(above) / min(below), "median": middle, "quartile_1": low, "quartile_3": high}
    return {name: round(number, 3) for name, number in numbers.items()}


def measure(name: str, repeats: int, threads: int, clock: str) -> dict[str, Any]:
    """All rounds at one size."""
    size = SIZES[name]
    peers, skipped = start_peers(size, threads, clock)
    runs = ours(**size, clock=clock)
    for peer_name, peer in peers.items():
        for what in ("step", "auxk"):
            runs[f"{peer_name} {what}"] = lambda peer=peer, what=what: peer.run(what)
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {key: [] for key in runs}
    for _ in range(repeats):
        for key, run in runs.items():
            seconds[key].append(run())
    for peer in peers.values():
        peer.close()
    ratios = {f"{what} / floor": ratio(seconds[what], seconds["floor"]) for what in ("step", "auxk")}
    for peer_name in peers:
        for what in ("step", "auxk"):
            ratios[f"{peer_name} {what} / ours"] = ratio(seconds[f"{peer_name} {what}"], seconds[what])
    return {
        "size": size,
        "bars": {"step / floor": BARS[name], "peer auxk / ours": PEER_BARS},
        "ratios": ratios,
        "tokens_per_second": {key: round(size["batch"] / min(times)) for key, times in seconds.items()},
        "seconds": {key: [round(value, 6) for value in times] for key, times in seconds.items()},
        "skipped": skipped,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "training_step.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    report: dict[str, Any] = {"machine": machine(options.threads), "repeats": options.repeats, "clock": options.clock}
    for name in options.size or SIZES:
        result = report[name] = measure(name, options.repeats, options.threads, options.clock)
        print(f"{name} {SIZES[name]}")
        for key, numbers in result["ratios"].items():
            print(f"  {key:28}", *(f"{word} {number:6.2f}" for word, number in numbers.items()))
        for peer, why in result["skipped"].items():
            print(f"  skipped {peer}: {why}", file=sys.stderr)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Wrote {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
