"""mnv2c's own names: those of the layers."""

from mnv2c.weights.names import BN_FIELDS
from mnv2c.weights.source import Rule, Source

ROLES = (
    "stem",
    "plain.depthwise",
    "plain.project",
    "expanded.expand",
    "expanded.depthwise",
    "expanded.project",
    "head.pointwise",
    "head.dense",
)

OWN = Source(
    name="mnv2c",
    title="mnv2c",
    rules=tuple(Rule(role, "{layer}", "{layer}.bn") for role in ROLES),
    batch_norm={field: field for field in BN_FIELDS},
    ignored=(),
)
