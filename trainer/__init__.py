"""Trains a classifier on labelled images and writes a run folder. Importing it does not load Keras."""

from trainer import models
from trainer.config.train_config import TrainConfig
from trainer.evaluation.evaluation import Evaluation, evaluate
from trainer.progress import Event, Progress
from trainer.run.run_json import DataRecord, RunMetrics, RunRecord, model_path, read_data, read_run
from trainer.training import Run, train

__all__ = [
    "DataRecord",
    "Evaluation",
    "Event",
    "Progress",
    "Run",
    "RunMetrics",
    "RunRecord",
    "TrainConfig",
    "evaluate",
    "model_path",
    "models",
    "read_data",
    "read_run",
    "train",
]
