"""Hourly signals and what people did in; whether it helped, slow-downs nobody recorded, and patterns that moved on to another line out."""
