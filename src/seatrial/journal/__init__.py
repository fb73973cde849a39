"""What a run leaves on disk: its folder and its append-only journal, written so that a kill loses at most a line.

Everything said of a run afterwards (undo, judging again, the report) is read from here; nothing here judges.
"""
