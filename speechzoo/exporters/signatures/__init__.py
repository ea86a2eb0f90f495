"""What an exported file can be asked beside `recognize`."""
