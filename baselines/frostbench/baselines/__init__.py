"""Built-in methods other than V2L, one folder each, and the autoencoder that several build on."""
