"""Any Hugging Face causal language model, run with plain PyTorch hooks."""
