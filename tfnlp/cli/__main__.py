"""`python -m tfnlp.cli`."""

from tfnlp.cli.commands import main

if __name__ == "__main__":
    main()
