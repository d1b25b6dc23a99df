"""A cascade: int8 answers, the fp32 file sees what int8 may get wrong; its threshold, and whether it is worth it."""
