"""Decision tables: DMN with S-FEEL, in exact decimal arithmetic. Pure: no Django, no clock, no I/O.

A table is data (``tables``). ``compiling`` turns it into something that decides; ``checking`` finds what no rule
covers and what two rules claim; ``dmn`` reads and writes the standard's XML.
"""
