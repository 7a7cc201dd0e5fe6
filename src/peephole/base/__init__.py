"""The nouns: errors, records, the card, the model file, the engine, the evidence."""
