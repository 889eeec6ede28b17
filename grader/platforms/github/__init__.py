"""GitHub Actions: https://docs.github.com/actions"""
