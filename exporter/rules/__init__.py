"""Makes the rules of an artifact from labelled images: when to answer, which classes may be true, what is unknown."""
