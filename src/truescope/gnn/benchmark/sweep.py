"""Run many cells on a few processes; each is handed over as soon as it is done, so that a sweep can go on later."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from truescope.gnn.benchmark.cells import Cell
from truescope.gnn.benchmark.measure import Measured, measure


def sweep(
    cells: Sequence[Cell], names: tuple[str, ...], folder: Path | None, n_processes: int = 2
) -> Iterator[list[Measured]]:
    """Measure every cell, longest first, in the order in which they are done."""
    order = sorted(cells, key=_cost, reverse=True)
    if n_processes <= 1 or len(order) <= 1:
        yield from (measure(cell, names, folder) for cell in order)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, mp_context=context, initializer=_one_thread) as pool:
        try:
            for done in as_completed([pool.submit(measure, cell, names, folder) for cell in order]):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def processors() -> int:
    """How many processes the machine can give."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cost(cell: Cell) -> int:
    hops = {"local": 0, "neighborhood": 1, "two-hop": 2}[cell.white_box]
    return hops + (10 if cell.ego else 0)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
