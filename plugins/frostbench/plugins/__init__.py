"""The contract, the host, frozen backbones and the engine."""
