"""Results that people hand in to a folder under git: writes, checks and reads them."""

from frostbench.bench.submissions.accept import Finding, Tools, accept
from frostbench.bench.submissions.places import open_runs, submissions_of
from frostbench.bench.submissions.submit import submit
from frostbench.bench.submissions.template import new_results

__all__ = ["Finding", "Tools", "accept", "new_results", "open_runs", "submissions_of", "submit"]
