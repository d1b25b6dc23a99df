"""The app as files: what is in it, in which version, under which licences, and the folder that it becomes."""
