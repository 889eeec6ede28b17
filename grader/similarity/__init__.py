"""Which students' code is similar, whatever its names, order and layout."""
