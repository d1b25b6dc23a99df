"""Commands for what is deployed: status, invoke, logs, rollback, destroy."""
