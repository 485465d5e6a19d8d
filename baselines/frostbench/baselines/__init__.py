"""Built-in methods other than V2L-Tokenizer, one folder each."""

import frostbench.plugins  # noqa: F401  (it forwards the paths of before, `autoencoder` here)
