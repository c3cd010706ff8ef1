"""Totals over a model's layers."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.spec.layers import layers
from mnv2c.spec.model import ModelSpec


@dataclass(frozen=True)
class Cost:
    """Trainable parameters with and without batch normalisation, and after folding it; multiply-adds of one image."""

    parameters: int
    parameters_without_bn: int
    parameters_folded: int
    madds: int


def cost(spec: ModelSpec) -> Cost:
    """Count the convolutions and the fully connected layer; nothing else is counted."""
    network = layers(spec)
    without_bn = sum(layer.parameters_without_bn for layer in network)
    biases = sum(layer.output_shape[2] for layer in network if layer.has_batch_norm)
    return Cost(
        parameters=sum(layer.parameters for layer in network),
        parameters_without_bn=without_bn,
        parameters_folded=without_bn + biases,
        madds=sum(layer.madds for layer in network),
    )
