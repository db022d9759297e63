"""The commands, one thin function each: read arguments, call the library, print, answer with the exit code."""
