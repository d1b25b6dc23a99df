"""Quantization: calibrates and changes float files, and writes them as int8."""

from exporter.quantize.graph import LinearLayer, OpError, QuantGraph, Ranges
from exporter.quantize.onnx_graph import OnnxGraph
from exporter.quantize.tflite_graph import TfliteGraph

__all__ = ["LinearLayer", "OnnxGraph", "OpError", "QuantGraph", "Ranges", "TfliteGraph"]
