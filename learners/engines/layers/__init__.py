"""The families of layers that have a rule of their own, and which rule a module gets."""

from __future__ import annotations

from torch import nn

from learners.engines.layers.attention import AttentionRule
from learners.engines.layers.convolution import ConvolutionRule
from learners.engines.layers.embedding import EmbeddingRule
from learners.engines.layers.generic import GenericRule
from learners.engines.layers.linear import LinearRule
from learners.engines.layers.normalisation import GroupNormRule, InstanceNormRule, LayerNormRule, RMSNormRule
from learners.engines.layers.recurrent import RecurrentRule
from learners.engines.layers.rule import LayerRule, Materialised, Part
from learners.engines.layers.second import RecordsSecond, records_second

RULES: tuple[type[LayerRule], ...] = (
    LinearRule,
    ConvolutionRule,
    EmbeddingRule,
    LayerNormRule,
    RMSNormRule,
    GroupNormRule,
    InstanceNormRule,
    AttentionRule,
    RecurrentRule,
)

__all__ = [
    "RULES",
    "AttentionRule",
    "GenericRule",
    "LayerRule",
    "Materialised",
    "Part",
    "RecordsSecond",
    "RecurrentRule",
    "records_second",
    "rule_of",
]


def rule_of(module: nn.Module) -> LayerRule | None:
    """The rule of the module's family, None where it has none.

    A subclass belongs to the family if it computes the same: neither `forward` nor `_conv_forward` is its own, and it
    has no parameters besides. LearnerRefused where the family's rule refuses how the module is set.
    """
    for family in RULES:
        for known in family.modules:
            if isinstance(module, known) and _computes_like(module, known, family):
                return family(module)
    return None


def _computes_like(module: nn.Module, known: type[nn.Module], family: type[LayerRule]) -> bool:
    same = all(
        getattr(type(module), name, None) is getattr(known, name, None) and name not in vars(module)
        for name in ("forward", "_conv_forward")
    )
    return same and {name for name, _ in module.named_parameters()} <= set(family.learns)
