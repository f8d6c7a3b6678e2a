"""Answering questions: pages, counts, histograms, facets, each within a budget of time."""
