"""The run folder that training writes: its records, and how it is created."""
