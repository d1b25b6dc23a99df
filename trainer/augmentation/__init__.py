"""Changed copies of training images, as Keras layers that run on every backend.

They stand in front of the model while it is trained and are no part of what is saved.
"""

from trainer.augmentation.choices import AUGMENTATIONS, chosen
from trainer.augmentation.images import image_layer
from trainer.augmentation.targets import target_layer

__all__ = ["AUGMENTATIONS", "chosen", "image_layer", "target_layer"]
