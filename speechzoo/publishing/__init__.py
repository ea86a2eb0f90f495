"""Models for others: a folder in the layout of the Hugging Face hub, and its upload."""
