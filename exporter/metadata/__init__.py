"""What a model file says of itself: labels and preprocessing, in the form that each format's clients read."""

from exporter.metadata.onnx import with_onnx_metadata
from exporter.metadata.tflite import TfliteMetadata, read_tflite_metadata, with_tflite_metadata

__all__ = ["TfliteMetadata", "read_tflite_metadata", "with_onnx_metadata", "with_tflite_metadata"]
