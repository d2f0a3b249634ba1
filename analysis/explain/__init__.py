"""Frames of the store in, one reasoned Explanation per transition out; the method is METHOD.md, "Explanations"."""

from analysis.explain.verdict import explain

__all__ = ["explain"]
