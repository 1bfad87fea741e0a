"""Which of several texts goes with a prompt."""
