"""Device runtime: the contract (preprocessing, bundle, labels) and inference. Imports no sibling."""
