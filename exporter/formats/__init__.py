"""Model files as files: the artifact kinds, metadata, external weights, and edits of .tflite and .onnx files."""
