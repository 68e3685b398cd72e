"""Scoring: one metric per file, every score with its protocol. Importing it does not import torch."""

from qwen_audio.score.registry import METRICS, Metric, compute, metric_name

__all__ = ["METRICS", "Metric", "compute", "metric_name"]
