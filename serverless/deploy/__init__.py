"""Runs on your machine: packages a bundle for AWS Lambda, deploys it, and manages the deployment."""
