"""The AWS side: stacks, change sets, versions, the code bucket, the lock."""
