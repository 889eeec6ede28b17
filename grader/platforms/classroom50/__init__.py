"""Classroom 50: https://github.com/foundation50/classroom50/wiki/Advanced-Autograding"""
