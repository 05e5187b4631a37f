"""Decision tables at work: the version in force at the moment of a call, and what it decides."""
