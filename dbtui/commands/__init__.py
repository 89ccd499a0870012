"""What each command does. The arguments and their help stand in `dbtui/cli.py`."""
