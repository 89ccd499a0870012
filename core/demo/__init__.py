"""The embedded model: its weights, its pictures, the run that shows DreamBooth with them, and how all was made."""
