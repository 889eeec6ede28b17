"""Gradescope: https://gradescope-autograders.readthedocs.io/"""
