"""What was known in, what is likely next and what may still be sent out: START at ``forecast``; the decision is in ``gate``."""
