"""Figures of speed in a table out: made-up data of any size, and what the product (and its peers) take on it."""
