"""The page to play with: one HTML file that runs the mappings in a browser, written by `lastlayer explore`."""
