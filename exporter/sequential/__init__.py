"""The check that goes through the images one by one and stops as soon as it may."""
