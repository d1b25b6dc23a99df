"""TensorFlow and Keras at first use, and converter errors in words."""
