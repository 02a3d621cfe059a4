"""scikit-learn: a linear classifier under any mapping."""

from lastlayer.sklearn.classifier import LastLayerClassifier

__all__ = ["LastLayerClassifier"]
