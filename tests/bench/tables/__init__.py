"""The tables and figures of the pages, each made by the function of its name from the result files."""
