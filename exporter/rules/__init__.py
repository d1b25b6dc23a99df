"""Makes the rules of an artifact from labelled images: when to answer, and which labels may be true."""
