"""The pack's SAM."""
