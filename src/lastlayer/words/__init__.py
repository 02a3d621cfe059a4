"""How numbers, names and lists are written, the same in terminal, page and documents. No module here knows a result."""
