"""Where grades go: grade books, tables, and what students get back."""
