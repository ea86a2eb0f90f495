"""Keras layers that several rooms share: masks, quantizable products, stream state, attention, convolution, pooling."""
