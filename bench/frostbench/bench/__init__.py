"""The machine between a command and a leaderboard."""
