"""The paper, recomputed, in every form."""
