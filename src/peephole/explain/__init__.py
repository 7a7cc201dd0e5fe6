"""Looking inside a model file: layers, sums, neighbours, the report."""
