"""Seconds and memory of tracing against tokens and units, on random models, neurons as units.

    python benchmarks/tracing.py [--threads 1] [--repeats 2] [--out benchmarks/results/tracing.json]

Each case runs in a process of its own, so that its peak memory is its own. Seconds are given as CPU and as wall time of
the fastest repeat; on a shared machine the CPU seconds of one thread are the ones to compare. Two floors stand beside
them:

- ``gemm``: the multiplications that the edges need at the least (d_model for each nonzero edge), done as one dense
  matrix product. Everything above it is gradients, filing and pruning.
- ``forward_backward``: one plain forward and one backward pass of the same prompt, what a single target would cost if
  nothing were shared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from machine import describe, peak_rss_mb
from truescope.core.graphs import NodeKind
from truescope.models import Model
from truescope.trace import trace_graph

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    """A random model, a prompt's length, and how many units are explored at most."""

    model: str
    tokens: int
    max_units: int


CASES = (
    *(Case("llama 4x128", tokens, 1 << 20) for tokens in (4, 8, 16, 32)),
    *(Case("llama 4x128", 32, units) for units in (256, 1024, 4096)),
    *(Case("gpt2 12x768", 12, units) for units in (64, 256, 512)),
)


def build(name: str) -> Model:
    """The random model of a case; seed 0."""
    torch.manual_seed(0)
    if name == "gpt2 12x768":
        return Model(GPT2LMHeadModel(GPT2Config()), name=name)
    config = LlamaConfig(
        vocab_size=1000, hidden_size=128, intermediate_size=344, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=256, pad_token_id=None,
    )  # fmt: skip
    return Model(LlamaForCausalLM(config), name=name)


def fastest(work: Callable[[], Any], repeats: int) -> tuple[Any, float, float]:
    """The last result of ``work``, and the CPU and wall seconds of its fastest repeat."""
    cpu, wall, result = [], [], None
    for _ in range(repeats):
        c, w = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return result, min(cpu), min(wall)


def forward_backward(model: Model, tokens: torch.Tensor) -> None:
    """One target the plain way: a forward with gradients from the embeddings on, and a backward pass."""
    embeddings = model.parts.embed(tokens[None]).detach().requires_grad_()
    logits = model.hf(inputs_embeds=embeddings, use_cache=False).logits
    torch.autograd.grad(logits[0, -1, 0], embeddings)


def gemm_seconds(n_edges: int, d_model: int, repeats: int) -> float:
    """CPU seconds of n_edges·d_model multiply-adds as dense products [256, d] × [d, 4096]."""
    a, b = torch.randn(256, d_model), torch.randn(d_model, 4096)
    out = torch.empty(256, 4096)
    n_products = min(64, max(1, round(n_edges / (256 * 4096))))

    def products() -> None:
        for _ in range(n_products):
            torch.mm(a, b, out=out)

    _, cpu, _ = fastest(products, repeats + 1)
    return cpu / n_products * n_edges / (256 * 4096)


def measure(case: Case, repeats: int) -> dict[str, Any]:
    """One case, in this process."""
    model = build(case.model)
    tokens = torch.randint(0, 1000, (case.tokens,), generator=torch.Generator().manual_seed(0))
    # The weights' hash is a cost of loading, not of tracing.
    _ = model.hash
    before = peak_rss_mb()
    _, plain, _ = fastest(lambda: forward_backward(model, tokens), repeats)
    trace, cpu, wall = fastest(lambda: trace_graph(model, tokens, max_units=case.max_units), repeats)
    peak = peak_rss_mb()
    left = trace.graph.left_out
    n_logits = sum(node.kind is NodeKind.LOGIT for node in trace.graph.nodes)
    n_targets = int(left["active_units"] - left["unexplored_units"]) + n_logits
    n_edges = int(left["pruned_edges"]) + trace.graph.n_edges
    floor = gemm_seconds(n_edges, model.d_model, repeats)
    return asdict(case) | {
        "active_units": int(left["active_units"]),
        "targets": n_targets,
        "edges_found": n_edges,
        "edges_kept": trace.graph.n_edges,
        "closure_gap": trace.graph.closure_gap,
        "cpu_seconds": round(cpu, 4),
        "wall_seconds": round(wall, 4),
        "ms_cpu_a_target": round(1e3 * cpu / n_targets, 4),
        "peak_rss_mb_before": round(before),
        "peak_rss_mb": round(peak),
        "floor_gemm_cpu_seconds": round(floor, 4),
        "times_gemm_floor": round(cpu / floor, 2),
        "floor_forward_backward_cpu_seconds": round(plain, 5),
        "times_one_target_alone": round(cpu / plain, 2),
        "wall_by_stage": {name: round(seconds, 4) for name, seconds in trace.seconds.items()},
    }


def main() -> None:
    """Run every case in its own process and write the results with the machine they come from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "tracing.json")
    parser.add_argument("--case", type=int, help="run one case here and print it (used by the program itself)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.case is not None:
        print(json.dumps(measure(CASES[options.case], options.repeats)))
        return
    rows = []
    for number, case in enumerate(CASES):
        arguments = [sys.executable, __file__, "--case", str(number), "--threads", str(options.threads)]
        # The large model's cases are long enough to be measured once.
        arguments += ["--repeats", str(options.repeats if case.model.startswith("llama") else 1)]
        ran = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(ran.stdout.splitlines()[-1]))
        row = rows[-1]
        print(
            f"{case.model}  {case.tokens:3} tokens  {row['targets']:6} targets  {row['cpu_seconds']:7.2f} CPU s  "
            f"{row['ms_cpu_a_target']:6.2f} ms/target  {row['times_gemm_floor']:5.1f}× GEMM  {row['peak_rss_mb']:5} MB"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": describe(), "seed": 0, "cases": rows}, indent=1) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
