"""Judgement: tensors in, finding out. Pure functions, no student code in reach."""
