"""What to deploy, checked before anything slow or remote."""
