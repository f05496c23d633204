"""Graph networks: white boxes whose mechanism is known, explainers of any PyTorch Geometric model, and the benchmark.

Read `whiteboxes` first (what is true), then `explainers` (what is said), then `benchmark` (how far they agree).
"""
