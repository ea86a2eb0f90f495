"""Wake word, speech-to-text and intents for Home Assistant, over the Wyoming protocol; no TensorFlow."""
