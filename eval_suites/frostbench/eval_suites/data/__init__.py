"""Published data sets of the suite, in the layouts that users have on disk; none is downloaded."""
