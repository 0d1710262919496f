"""Surfaces between the samples: blocks, variograms, local kriging, validation, cells."""
