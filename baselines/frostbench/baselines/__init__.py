"""Built-in methods other than V2L-Tokenizer, one folder each."""
