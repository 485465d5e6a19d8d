"""Results of lmms-eval on our leaderboard."""
