# Names for the commands in tools/; CMake does the building.
.PHONY: demo test check
demo test check:
	@tools/$@
