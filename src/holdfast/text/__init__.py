"""Reading text: detectors for personal data and secrets, sentence embeddings."""
