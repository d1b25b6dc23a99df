"""TensorFlow and Keras, imported at use, and the wording of errors, sizes and times."""
