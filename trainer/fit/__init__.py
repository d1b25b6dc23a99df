"""The training loop: batches, phases, learning rates, checkpoints."""
