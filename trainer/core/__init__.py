"""Keras at first use, decoded pixels that are kept, and data sets that are downloaded."""
