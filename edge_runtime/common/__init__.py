"""What every house builds on: errors, text, files that are written whole, terminals."""
