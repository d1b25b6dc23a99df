"""What HTTP and events share: settings, the model's service, keys, errors, log lines."""
