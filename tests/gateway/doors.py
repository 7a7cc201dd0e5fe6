"""Settings of doors, as text, that several tests begin with."""

# A whole door for the tiny model, which knows left and top.
TINY = """
[gate]
name = "front-door"
model = "door.onnx"
low_risk = true
[sensor]
source = "replay://night"
[decide]
false_accept = 0.01
[[rule]]
who = ["left", "top"]
do = "open"
[action.open]
target = "record://"
"""
# What the snippets of a page of the reference are put into: all that a door must say but its rules.
PAGE = """
[gate]
name = "front-door"
model = "door.onnx"
low_risk = true
[sensor]
source = "folder://frames"
[decide]
false_accept = 0.01
[action.open]
target = "log://"
"""
