"""Training of ecor's small CLIP model: see README.md in this folder."""
