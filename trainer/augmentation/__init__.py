"""Data augmentation as Keras layers that run on every backend.

They precede the model during training and are not part of the saved model.
"""

from trainer.augmentation.choices import AUGMENTATIONS, resolve_augmentations
from trainer.augmentation.images import image_layer
from trainer.augmentation.targets import target_layer

__all__ = ["AUGMENTATIONS", "image_layer", "resolve_augmentations", "target_layer"]
