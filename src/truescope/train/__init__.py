"""Training dictionaries: harvested activations in, a `Dictionary` out.

Read in this order: `config`, `learner` (the weights and one step), `closed_loop` (the model with every MLP replaced),
`loop`, `checkpoints`, `evaluate`.
"""

from truescope.train.checkpoints import Checkpoint, environment, read_checkpoint, write_checkpoint
from truescope.train.closed_loop import Writer, ce_delta, closed_loop_loss, replaced_logits
from truescope.train.config import TrainConfig
from truescope.train.evaluate import Evaluation, evaluate
from truescope.train.learner import Learner
from truescope.train.loop import SAMPLE, train_dictionary, training_sites

__all__ = [
    "SAMPLE",
    "Checkpoint",
    "Evaluation",
    "Learner",
    "TrainConfig",
    "Writer",
    "ce_delta",
    "closed_loop_loss",
    "environment",
    "evaluate",
    "read_checkpoint",
    "replaced_logits",
    "train_dictionary",
    "training_sites",
    "write_checkpoint",
]
