"""The reference: pages that the code itself gives."""
