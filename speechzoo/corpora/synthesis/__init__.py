"""Written sentences -> a corpus of synthetic speech: many voices, made more by changing their vocal tracts.

`synthesize` writes it as `speechzoo prepare` writes recorded speech. The engines, one per file, are programs of the
operating system that are run as processes.
"""
