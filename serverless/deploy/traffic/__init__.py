"""Traffic shifting: canary, final stage and rollback, with alarms watched."""
