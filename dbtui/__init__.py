"""What people see of the trainer: the app and the commands. Everything that trains is in `core`."""

__version__ = "0.1.0"
