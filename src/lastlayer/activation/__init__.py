"""What scores go through before the mapping: softcap, then temperature."""

from lastlayer.activation.softcap import Activation

__all__ = ["Activation"]
