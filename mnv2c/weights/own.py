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
    "extra.squeeze",
    "extra.depthwise",
    "extra.pointwise",
    "extra.regular",
    *(f"{output}.{part}" for output in ("boxes", "scores") for part in ("depthwise", "predict", "alone")),
    "head.image",
    *(f"head.branch_{number}" for number in range(4)),
    "head.project",
    "head.classes",
)

OWN = Source(
    name="mnv2c",
    title="mnv2c",
    families=("classifier", "detector", "segmenter"),
    rules=tuple(Rule(role, "{layer}", "{layer}.bn") for role in ROLES),
    batch_norm={field: field for field in BN_FIELDS},
    ignored=(),
)
