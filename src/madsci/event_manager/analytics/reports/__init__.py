"""Utilization reports in the shapes that programs written for MADSci read."""
