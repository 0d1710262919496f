"""The report: what the tables say for one month, collected into plain data and typeset as A4 PDF."""
